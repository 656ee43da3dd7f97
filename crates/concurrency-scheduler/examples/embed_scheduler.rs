//! Two classes side by side, as a timeline a person can read.
//!
//! `cargo run --example embed_scheduler`
//!
//! *lb* may run 2 changes at once, *rs* 4; each has a rate of its own. Changes of one key never overlap, changes of
//! different keys do. After two seconds the server throttles *lb* for a second and a half: the rate of *lb* falls and
//! comes back, and *rs* does not notice.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use concurrency_scheduler::{
    AdaptiveConfig, Attempt, ClassConfig, ClassId, Handler, Mode, Outcome, RetryConfig, Scheduler,
    SchedulerHandle, Submission,
};
use tokio::time::{Instant, interval, sleep};

const LB: ClassId = ClassId::new("lb");
const RS: ClassId = ClassId::new("rs");
const LB_KEYS: [&str; 4] = ["alb-1", "alb-2", "alb-3", "alb-4"];
const RS_KEYS: [&str; 5] = ["group-a", "group-b", "group-c", "group-d", "group-e"];
/// When the server throttles `lb`.
const THROTTLED: Range<Duration> = Duration::from_secs(2)..Duration::from_millis(3500);
/// Time in one column of the timeline.
const COLUMN: Duration = Duration::from_millis(100);
const COLUMNS: usize = 90;

fn lb() -> ClassConfig {
    ClassConfig {
        max_concurrent: 2,
        rate_per_s: Some(5.0),
        burst: 1,
        adaptive: Some(AdaptiveConfig {
            recovery: 2.0,
            ..AdaptiveConfig::default()
        }),
        retry: RetryConfig {
            interval: Duration::from_millis(500),
            ..RetryConfig::default()
        },
        ..ClassConfig::default()
    }
}

fn rs() -> ClassConfig {
    ClassConfig {
        max_concurrent: 4,
        rate_per_s: Some(10.0),
        burst: 1,
        ..ClassConfig::default()
    }
}

/// One attempt, as the server saw it.
struct Run {
    class: ClassId,
    key: &'static str,
    number: u32,
    columns: Range<usize>,
    throttled: bool,
}

/// A server that takes its time, and throttles `lb` for a while.
#[derive(Clone)]
struct Server {
    begun: Instant,
    runs: Arc<Mutex<Vec<Run>>>,
}

impl Server {
    fn column(&self) -> usize {
        (self.begun.elapsed().as_millis() / COLUMN.as_millis()) as usize
    }
}

impl Handler for Server {
    type Key = &'static str;
    type Job = u32;

    async fn run(&self, attempt: Attempt<&'static str, u32>) -> Outcome {
        let (from, is_lb) = (self.column(), attempt.class == LB);
        let throttled = is_lb && THROTTLED.contains(&self.begun.elapsed());
        if !throttled {
            sleep(Duration::from_millis(if is_lb { 380 } else { 330 })).await;
        }
        self.runs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Run {
                class: attempt.class,
                key: attempt.key,
                number: attempt.number,
                columns: from..self.column().max(from + 1),
                throttled,
            });
        if throttled {
            let after = Some(Duration::from_millis(500));
            return Outcome::Throttled { after };
        }
        Outcome::Done
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server {
        begun: Instant::now(),
        runs: Arc::default(),
    };
    let scheduler = Scheduler::builder()
        .class(LB, lb())
        .class(RS, rs())
        .seed(1)
        .spawn(server.clone())?;
    println!("Two classes at work for about eight seconds …\n");

    // Four load balancers with six changes each, five server groups with sixteen; in order of submission for each key.
    let mut tickets = Vec::new();
    for (class, keys, count) in [(LB, &LB_KEYS[..], 6), (RS, &RS_KEYS[..], 16)] {
        for number in 0..count {
            for key in keys {
                let change = Submission::new(class.clone(), *key, number).mode(Mode::Fifo);
                tickets.push(scheduler.submit(change)?);
            }
        }
    }
    let rates = Arc::default();
    let watch = tokio::spawn(watch_rates(scheduler.clone(), Arc::clone(&rates)));
    let mut done = 0;
    for ticket in &tickets {
        done += u32::from(ticket.wait().await.is_done());
    }
    watch.abort();

    timeline(&server.runs, &rates);
    for (class, stats) in scheduler.stats().await?.classes {
        let totals = stats.totals;
        println!(
            "{class}: {} changes done in {} attempts, {} of them throttled",
            totals.done, totals.attempts, totals.throttled
        );
    }
    println!("{done} of {} submissions done", tickets.len());
    let report = scheduler.drain(Duration::from_secs(5)).await;
    println!("drained, nothing left: {}", report.is_empty());
    Ok(())
}

fn timeline(runs: &Mutex<Vec<Run>>, rates: &Mutex<Vec<[f64; 2]>>) {
    let runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    let rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
    println!("{:20}{}", "", seconds().trim_end());
    println!("{:18}|{}", "server throttles lb", throttled_columns().trim_end());
    for (class, keys, config) in [(LB, &LB_KEYS[..], lb()), (RS, &RS_KEYS[..], rs())] {
        draw(&class, keys, &config, &runs, &rates);
    }
    println!(
        "\nA digit is the start of an attempt and its number, = the time it takes, ! an attempt that was throttled,\n\
         · a key that waits or is done.\n\
         The rate is the one in force: █ is all that is configured.\n"
    );
}

/// Rates in force of `lb` and `rs`, one pair for each column.
type Rates = Arc<Mutex<Vec<[f64; 2]>>>;

async fn watch_rates(scheduler: SchedulerHandle<&'static str, u32>, rates: Rates) {
    let mut columns = interval(COLUMN);
    loop {
        columns.tick().await;
        let Ok(stats) = scheduler.stats().await else {
            return;
        };
        let rate = |class| stats.classes[&class].rate_per_s.unwrap_or(f64::INFINITY);
        let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.push([rate(LB), rate(RS)]);
    }
}

fn draw(class: &ClassId, keys: &[&str], config: &ClassConfig, runs: &[Run], rates: &[[f64; 2]]) {
    let rate = config.rate_per_s.unwrap_or(f64::INFINITY);
    println!(
        "\n{class}: at most {} at once, {rate} starts per second",
        config.max_concurrent
    );
    let of_class = || runs.iter().filter(|run| run.class == *class);
    for key in keys {
        let mut line = vec!['·'; COLUMNS];
        for run in of_class().filter(|run| run.key == *key) {
            for column in run.columns.clone().filter(|&column| column < COLUMNS) {
                line[column] = match run.throttled {
                    true => '!',
                    false if column == run.columns.start => char::from_digit(run.number, 10).unwrap_or('+'),
                    false => '=',
                };
            }
        }
        println!("  {key:16} |{}", line.into_iter().collect::<String>());
    }
    let rates = rates.iter().map(|pair| pair[usize::from(*class == RS)] / rate);
    println!(
        "  {:16} |{}",
        "rate",
        rates.take(COLUMNS).map(bar).collect::<String>()
    );
    let starts = (0..COLUMNS / 10).map(|second| {
        let second = second * 10..second * 10 + 10;
        let count = of_class()
            .filter(|run| second.contains(&run.columns.start))
            .count();
        format!("{count:<10}")
    });
    println!(
        "  {:16} |{}",
        "starts in 1 s",
        starts.collect::<String>().trim_end()
    );
}

/// A share of one as a bar.
fn bar(share: f64) -> char {
    ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][((share * 8.0).ceil() as usize).clamp(1, 8) - 1]
}

fn seconds() -> String {
    let marks = (0..COLUMNS / 10).map(|second| format!("{second} s       "));
    marks.collect::<String>()
}

fn throttled_columns() -> String {
    let throttled = (0..COLUMNS as u32).map(|column| THROTTLED.contains(&(COLUMN * column)));
    throttled
        .map(|throttled| if throttled { '~' } else { ' ' })
        .collect()
}
