//! Which rules keep their priority, and which numbers the others get.

use std::ops::RangeInclusive;

/// Priorities the API takes.
pub(crate) const PRIORITIES: RangeInclusive<u16> = 1..=10_000;

/// Distance to the outermost rule kept for rules before the first and after the last one.
const EDGE_STRIDE: usize = 100;

/// A wanted rule, in wanted order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Its priority now; `None` when it does not exist yet.
    pub(crate) current: Option<u16>,
    /// What leaving it where it is is worth: a rule that changes anyway costs little to move.
    pub(crate) worth: u32,
}

impl Wanted {
    pub(crate) const NEW: Self = Self {
        current: None,
        worth: 0,
    };
    /// More than all edited rules of a listener together: no rule that can stay is touched for the sake of others.
    pub(crate) const UNTOUCHED: u32 = 100_000;
    pub(crate) const EDITED: u32 = 1;
}

/// Gives each wanted rule a priority: ascending, distinct, and for each rule either the one it has or one that no rule
/// holds now (`occupied`, sorted, without repetition; it holds the priorities of all wanted rules). The rules that keep theirs are worth as much as possible together. `None` if there
/// are more rules than free numbers.
///
/// A rule whose number is taken only later in a plan would have to wait for another rule to leave it; numbers that are
/// free from the start spare the plan that knot.
pub(crate) fn place(wanted: &[Wanted], occupied: &[u16]) -> Option<Vec<u16>> {
    let free = Free { occupied };
    let all: Vec<usize> = (0..wanted.len())
        .filter(|i| wanted[*i].current.is_some())
        .collect();
    let kept = Some(all)
        .filter(|kept| has_room(wanted, kept, &free))
        .or_else(|| Some(best_ordered(wanted)).filter(|kept| has_room(wanted, kept, &free)))
        .or_else(|| best_with_room(wanted, &free))?;
    let mut out = vec![0; wanted.len()];
    let mut from = 0;
    let mut low = 0;
    for index in kept.into_iter().chain([wanted.len()]) {
        let high = wanted.get(index).and_then(|w| w.current);
        if index > from {
            spread(&mut out[from..index], low, high, &free);
        }
        if let Some(priority) = high {
            out[index] = priority;
            low = priority;
        }
        from = index + 1;
    }
    Some(out)
}

/// Numbers that are held, among which more can be taken one by one.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    held: Vec<u16>,
}

impl Numbers {
    /// Of numbers in any order. Those out of range are nobody's.
    pub(crate) fn new(held: impl Iterator<Item = u16>) -> Self {
        let mut held: Vec<u16> = held.filter(|number| PRIORITIES.contains(number)).collect();
        held.sort_unstable();
        held.dedup();
        Self { held }
    }

    /// Takes a number between two that are held. One out of range is as good as none on its side.
    pub(crate) fn take_between(&mut self, low: Option<u16>, high: Option<u16>) -> Option<u16> {
        let (first, last) = (*PRIORITIES.start(), *PRIORITIES.end());
        if low.is_some_and(|low| low > last) || high.is_some_and(|high| high < first) {
            return None;
        }
        let (low, high) = (low.filter(|low| *low >= first), high.filter(|high| *high <= last));
        let free = Free { occupied: &self.held };
        let is_gap = low.is_none_or(|low| high.is_none_or(|high| low < high));
        if !is_gap || free.between(low, high) == 0 {
            return None;
        }
        let mut number = [0];
        spread(&mut number, low.unwrap_or(0), high, &free);
        let at = self.held.partition_point(|held| *held < number[0]);
        self.held.insert(at, number[0]);
        Some(number[0])
    }

    /// Takes a number with no other one between it and one that is held.
    pub(crate) fn take_beside(&mut self, number: u16) -> Option<u16> {
        let below = self.held.partition_point(|held| *held < number);
        let above = self.held.partition_point(|held| *held <= number);
        let (low, high) = (
            below.checked_sub(1).map(|at| self.held[at]),
            self.held.get(above).copied(),
        );
        self.take_between(low, Some(number))
            .or_else(|| self.take_between(Some(number), high))
    }
}

struct Free<'a> {
    occupied: &'a [u16],
}

impl Free<'_> {
    /// How many numbers below `priority` nobody holds.
    fn below(&self, priority: u16) -> usize {
        let start = self.occupied.partition_point(|held| held < PRIORITIES.start());
        let held = self.occupied.partition_point(|held| *held < priority) - start;
        usize::from(priority - 1) - held
    }

    fn between(&self, low: Option<u16>, high: Option<u16>) -> usize {
        let high = high.unwrap_or(PRIORITIES.end() + 1);
        let low = low.map_or(0, |low| self.below(low));
        self.below(high) - low
    }

    fn list(&self, low: u16, high: Option<u16>) -> Vec<u16> {
        let high = high.unwrap_or(PRIORITIES.end() + 1);
        let start = self.occupied.partition_point(|held| *held <= low);
        let mut held = self.occupied[start..].iter().peekable();
        (low + 1..high)
            .filter(|n| held.next_if(|h| *h == n).is_none())
            .collect()
    }
}

/// Whether these rules stand in the wanted order with enough free numbers between neighbours for all that comes between.
fn has_room(wanted: &[Wanted], kept: &[usize], free: &Free<'_>) -> bool {
    let mut low = None;
    let mut from = 0;
    for index in kept.iter().copied().chain([wanted.len()]) {
        let high = wanted.get(index).and_then(|w| w.current);
        let between = index - from;
        let in_order = high.is_none_or(|high| low.is_none_or(|low| low < high));
        if !in_order || between > 0 && free.between(low, high) < between {
            return false;
        }
        (low, from) = (high, index + 1);
    }
    true
}

/// The existing rules worth most together that stand in the wanted order, whatever room there is between them: a longest
/// increasing subsequence, in n log n.
fn best_ordered(wanted: &[Wanted]) -> Vec<usize> {
    let mut ranks: Vec<u16> = wanted.iter().filter_map(|w| w.current).collect();
    ranks.sort_unstable();
    ranks.dedup();
    // A Fenwick tree over ranks: the best subsequence so far that ends at or below one.
    let mut best: Vec<(u64, Option<usize>)> = vec![(0, None); ranks.len() + 1];
    let mut previous: Vec<Option<usize>> = vec![None; wanted.len()];
    for (index, rule) in wanted.iter().enumerate() {
        let Some(priority) = rule.current else { continue };
        let rank = ranks.partition_point(|r| *r < priority);
        let mut below = (0, None);
        let mut at = rank;
        while at > 0 {
            below = if best[at].0 > below.0 { best[at] } else { below };
            at &= at - 1;
        }
        previous[index] = below.1;
        let worth = below.0 + u64::from(rule.worth);
        let mut at = rank + 1;
        while at < best.len() {
            if worth > best[at].0 {
                best[at] = (worth, Some(index));
            }
            at += at & at.wrapping_neg();
        }
    }
    let last = best
        .iter()
        .max_by_key(|(worth, _)| *worth)
        .and_then(|(_, last)| *last);
    let mut kept: Vec<usize> = std::iter::successors(last, |i| previous[*i]).collect();
    kept.reverse();
    kept
}

/// The existing rules worth most together that stand in the wanted order with enough free numbers between neighbours
/// for all that comes between: a longest increasing subsequence, with room. Quadratic.
fn best_with_room(wanted: &[Wanted], free: &Free<'_>) -> Option<Vec<usize>> {
    struct Best {
        index: usize,
        priority: u16,
        below: usize,
        worth: u64,
        previous: Option<usize>,
    }
    let mut best: Vec<Best> = Vec::new();
    for (index, rule) in wanted.iter().enumerate() {
        let Some(priority) = rule.current else { continue };
        let below = free.below(priority);
        let mut found = (below >= index).then_some((0, None));
        for (at, candidate) in best.iter().enumerate() {
            let fits = candidate.priority < priority
                && below - candidate.below >= index - candidate.index - 1
                && found.is_none_or(|(worth, _)| candidate.worth > worth);
            if fits {
                found = Some((candidate.worth, Some(at)));
            }
        }
        if let Some((worth, previous)) = found {
            best.push(Best {
                index,
                priority,
                below,
                worth: worth + u64::from(rule.worth),
                previous,
            });
        }
    }
    let total = free.between(None, None);
    let last = best
        .iter()
        .enumerate()
        .filter(|(_, b)| total - b.below >= wanted.len() - b.index - 1)
        .max_by_key(|(_, b)| b.worth)
        .map(|(at, _)| at);
    if last.is_none() && total < wanted.len() {
        return None;
    }
    let mut kept: Vec<usize> = std::iter::successors(last, |at| best[*at].previous)
        .map(|at| best[at].index)
        .collect();
    kept.reverse();
    Some(kept)
}

/// Spreads rules over the free numbers of a gap, so that later ones find room on either side.
fn spread(out: &mut [u16], low: u16, high: Option<u16>, free: &Free<'_>) {
    let numbers = free.list(low, high);
    let count = out.len();
    let even = (numbers.len() / (count + 1)).max(1);
    // At the edges of a table that has rules, stay near it: halving the rest each time would use it up.
    let (stride, first) = match (low == 0, high) {
        (true, Some(_)) => {
            let stride = even.min(EDGE_STRIDE);
            (stride, numbers.len() - (count * stride).min(numbers.len()))
        }
        (false, None) => {
            let stride = even.min(EDGE_STRIDE);
            (stride, (stride - 1).min(numbers.len() - count))
        }
        _ => (0, 0),
    };
    for (k, slot) in out.iter_mut().enumerate() {
        let at = if stride == 0 {
            (k + 1) * numbers.len() / (count + 1)
        } else {
            first + k * stride
        };
        *slot = numbers[at.min(numbers.len() - count + k)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(current: &[u16]) -> Vec<Wanted> {
        current
            .iter()
            .map(|p| Wanted {
                current: (*p > 0).then_some(*p),
                worth: Wanted::UNTOUCHED,
            })
            .collect()
    }

    fn check(current: &[u16], others: &[u16]) -> Vec<u16> {
        let wanted = wanted(current);
        let mut occupied: Vec<u16> = others.to_vec();
        occupied.extend(wanted.iter().filter_map(|w| w.current));
        occupied.sort_unstable();
        let placed = place(&wanted, &occupied).unwrap();
        assert!(placed.windows(2).all(|w| w[0] < w[1]), "{placed:?}");
        for (w, p) in wanted.iter().zip(&placed) {
            assert!(PRIORITIES.contains(p));
            assert!(
                w.current == Some(*p) || !occupied.contains(p),
                "{p} is held: {placed:?}"
            );
        }
        placed
    }

    fn touched(current: &[u16], others: &[u16]) -> usize {
        let placed = check(current, others);
        current
            .iter()
            .zip(&placed)
            .filter(|(c, p)| **c > 0 && c != p)
            .count()
    }

    /// Rules of others may have numbers that the API does not give, or none.
    #[test]
    fn between_numbers_out_of_range_there_are_those_in_range() {
        let taken = |held: &[u16], low, high| Numbers::new(held.iter().copied()).take_between(low, high);
        assert_eq!(taken(&[0], None, Some(0)), None);
        assert_eq!(taken(&[0, 1], Some(0), Some(1)), None);
        assert_eq!(taken(&[0, 2], Some(0), Some(2)), Some(1));
        assert_eq!(taken(&[20_000], Some(20_000), None), None);
        assert_eq!(taken(&[10_000, u16::MAX], Some(10_000), Some(u16::MAX)), None);
        assert_eq!(
            taken(&[9_999, u16::MAX], Some(9_999), Some(u16::MAX)),
            Some(10_000)
        );
        assert_eq!(Numbers::new([0, 1, 2].into_iter()).take_beside(0), None);
        for held in [0, 1, 2, 9_999, 10_000, 10_001, u16::MAX] {
            let beside = Numbers::new([held].into_iter()).take_beside(held);
            assert!(
                beside.is_none_or(|n| PRIORITIES.contains(&n) && n != held),
                "{beside:?}"
            );
        }
    }

    #[test]
    fn a_new_table_is_spread_with_gaps() {
        let placed = check(&[0; 100], &[]);
        assert!(placed.windows(2).all(|w| w[1] - w[0] >= 90), "{placed:?}");
        assert!(placed[0] >= 90 && placed[99] <= 9_910);
    }

    #[test]
    fn rules_in_order_with_room_stay() {
        for current in [
            &[10, 0, 20][..],
            &[0, 10, 20, 0],
            &[0, 0, 500],
            &[9_998, 0, 0],
            &[1, 0, 3],
        ] {
            assert_eq!(touched(current, &[]), 0, "{current:?}");
        }
    }

    #[test]
    fn the_largest_ordered_set_stays() {
        assert_eq!(touched(&[30, 10, 20], &[]), 1);
        assert_eq!(touched(&[20, 30, 10], &[]), 1);
        assert_eq!(touched(&[50, 40, 30, 20, 10], &[]), 4);
    }

    #[test]
    fn a_full_gap_moves_the_shortest_run() {
        assert_eq!(touched(&[10, 0, 11, 12, 13], &[]), 1, "10 moves up");
        assert_eq!(touched(&[1, 2, 0, 3], &[]), 1, "3 moves down");
        assert_eq!(touched(&[0, 1, 2, 3], &[]), 3, "there is nothing above 1");
        assert_eq!(touched(&[1, 0, 3], &[2]), 1, "2 is held by someone else");
    }

    #[test]
    fn edited_rules_move_first() {
        let mut rules = wanted(&[20, 10]);
        rules[0].worth = Wanted::EDITED;
        let placed = place(&rules, &[10, 20]).unwrap();
        assert_eq!(placed[1], 10);
        assert!(placed[0] < 10);
    }

    #[test]
    fn appending_again_and_again_keeps_finding_room() {
        let mut current = vec![100];
        for _ in 0..60 {
            current.push(0);
            let placed = check(&current, &[]);
            assert_eq!(&placed[..placed.len() - 1], &current[..current.len() - 1]);
            current = placed;
        }
    }

    #[test]
    fn more_rules_than_numbers_is_refused() {
        let all: Vec<u16> = PRIORITIES.collect();
        assert_eq!(place(&[Wanted::NEW], &all), None);
        assert!(place(&[Wanted::NEW], &all[1..]).is_some());
    }

    #[test]
    fn the_choice_is_the_best_of_all_choices() {
        // All subsets of small tables, by force: none that fits is larger.
        let fits = |current: &[u16], kept: &[usize], occupied: &[u16]| {
            let mut low = 0;
            let mut from = 0;
            kept.iter().copied().chain([current.len()]).all(|index| {
                let high = current.get(index).copied().unwrap_or(10_001);
                let room = (low + 1..high.max(low + 1))
                    .filter(|n| !occupied.contains(n))
                    .count();
                let ok = high > low && room >= index - from;
                low = high;
                from = index + 1;
                ok
            })
        };
        let mut seed = 7_u64;
        let mut random = |n: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for _ in 0..300 {
            let mut numbers: Vec<u16> = (1..=8).chain([9_999, 10_000]).collect();
            let current: Vec<u16> = (0..6)
                .map(|_| {
                    if random(3) == 0 {
                        0
                    } else {
                        numbers.swap_remove(random(numbers.len() as u64) as usize)
                    }
                })
                .collect();
            let occupied: Vec<u16> = {
                let mut o: Vec<u16> = current.iter().copied().filter(|p| *p > 0).collect();
                o.sort_unstable();
                o
            };
            let existing: Vec<usize> = (0..6).filter(|i| current[*i] > 0).collect();
            let best = (0_u32..1 << existing.len())
                .filter(|mask| {
                    let kept: Vec<usize> = existing
                        .iter()
                        .enumerate()
                        .filter(|(bit, _)| mask & (1 << bit) != 0)
                        .map(|(_, i)| *i)
                        .collect();
                    fits(&current, &kept, &occupied)
                })
                .map(u32::count_ones)
                .max()
                .unwrap_or(0) as usize;
            assert_eq!(existing.len() - touched(&current, &[]), best, "{current:?}");
        }
    }
}
