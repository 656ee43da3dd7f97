//! The guide: what the scheduler guarantees, how its parts work together, and how to choose the limits. Nothing but text.
//!
//! # The model
//!
//! A [`Submission`](crate::Submission) asks for one change: of a *class* (which limits apply), of a *key* (what is
//! changed), with a *job* (what to do, yours). The scheduler calls your [`Handler`](crate::Handler) when the change may
//! start; each call is an *attempt*, and its [`Outcome`](crate::Outcome) decides what follows. The submission ends with
//! one [`FinalOutcome`](crate::FinalOutcome), which its [`Ticket`](crate::Ticket) holds.
//!
//! Choose keys so that two changes that would disturb each other have the same one: an ALB instance, a server group, a
//! DNS zone. Choose classes by limits: what the server counts together belongs together.
//!
//! # What is guaranteed
//!
//! | | Guarantee | In short |
//! | --- | --- | --- |
//! | G1 | Per-key serial | At most one attempt runs for a class and key; for a key in all classes of one [`key_domain`](crate::ClassConfig::key_domain) |
//! | G2 | Order | [`Fifo`](crate::Mode::Fifo): every job, in order. [`Latest`](crate::Mode::Latest), [`Merge`](crate::Mode::Merge): at most one waits, and the last one submitted before quiet is the last one applied |
//! | G3 | Work conserving | Nothing waits while its key, enough slots and a token are there |
//! | G4 | Bounded bypass | No key starts twice while another of its priority and weight waits; priorities age |
//! | G5 | Isolation | Classes share no slots, buckets, budgets or queues |
//! | G6 | Weights | A heavy change is passed by lighter ones at most [`max_bypass`](crate::ClassConfig::max_bypass) times or for [`max_bypass_wait`](crate::ClassConfig::max_bypass_wait), then slots are kept for it |
//! | G7 | Atomic admission | Slot, tokens and key are taken together, at the start; nobody holds one while waiting for another (a key kept for a class that lost it [`max_bypass`](crate::ClassConfig::max_bypass) times is the one exception) |
//! | G8 | No head-of-line blocking | A change that needs a token of an empty named bucket waits beside that bucket, not in front of others |
//! | G9 | Rate truth | Any window of t seconds holds at most `burst + rate · t` starts, retries included |
//! | G10 | Adaptive | Throttling answers lower the rate at once and at most once a second; it comes back along a cubic curve, never below the floor |
//! | G11 | Retries | Classified; full jitter; server hints up to a limit; a budget per class; waiting holds no slot |
//! | G12 | Cancellation | Waiting: taken out. Running: told, given grace, aborted. The key is free once, and only when the attempt has ended |
//! | G13 | Drain | Takes nothing in, lets running attempts end until the deadline, and hands everything else back |
//! | G14 | Panics | A handler's panic ends its change. A panic of the scheduler itself ends the process |
//! | G15 | Memory | Grows with keys that wait or run; that of a peak is given back ten seconds after all is done; a full queue refuses |
//! | G16 | Observability | Numbers per class, [a reason per key](crate::BlockedOn), spans from submission to attempts |
//! | G17 | Determinism | The core is a function of state, event, time and seed |
//!
//! Tests carry these numbers. A model test compares the core with a reference written for being read, step by step.
//!
//! # Priorities
//!
//! A waiting key has a deadline: when it began to wait, plus [`age_after`](crate::ClassConfig::age_after) for each
//! priority below [`User`](crate::Priority::User). The earliest deadline goes first. So users' changes go before resyncs,
//! and a resync that waited twice `age_after` goes before what users submit later: neither starves.
//!
//! # Rates
//!
//! A class has a bucket, and may have [named ones](crate::ClassConfig::buckets) besides, for instance one per API. A start
//! takes one token of the class's, and one of the bucket the submission names. Tokens are counted by
//! [governor](https://docs.rs/governor)'s GCRA under the machine's time. After a throttling answer to a change that names
//! a bucket, that bucket slows down; otherwise the class's does.
//!
//! If you know the server's quota, configure a little less and keep adaptation as a safety net: a known rate uses
//! nearly all of a quota, an adapted one about nine tenths, since it has to probe.
//!
//! # Retries
//!
//! | Outcome | Counts against | Spends budget | Delay |
//! | --- | --- | --- | --- |
//! | [`Retry`](crate::Outcome::Retry), timeout | `max_retries` | yes | hint, or backoff with jitter |
//! | [`Busy`](crate::Outcome::Busy) | `max_retries` | no | the same |
//! | [`Throttled`](crate::Outcome::Throttled) | `max_throttle_retries` | no | the same; and the rate falls |
//! | [`Permanent`](crate::Outcome::Permanent), panic | never retried | | |
//!
//! When the budget is spent, retries wait for it; they are never dropped. A failed coalescing change that has a newer one
//! behind it becomes part of that one. A failed FIFO change keeps its place, so that order holds.
//!
//! # Choosing limits
//!
//! Little's law: a rate of r per second with changes of p seconds keeps r · p slots busy. More slots than that do
//! nothing, fewer make the rate unreachable. Attempts may run for `attempt_timeout_s` and return in `cancel_grace_s`;
//! a drain's deadline should be longer than the usual attempt and shorter than what the process is given to stop.
//!
//! # Compared with others
//!
//! | | this crate | client-go workqueue | controller-runtime priority queue | kube-runtime scheduler |
//! | --- | --- | --- | --- | --- |
//! | Unit | class, key, job | key | key, priority | message |
//! | Same key, waiting | FIFO, latest or merge, by choice | one | one, best priority | one, earliest time |
//! | Same key, running | waits behind it | run again afterwards | run again afterwards | run again afterwards |
//! | Order of keys | round robin per priority and weight | FIFO | strict priority, then FIFO | not defined |
//! | Starvation | none; priorities age | none | lower priorities may wait for ever | possible with a concurrency limit |
//! | Classes, weights | yes | no | no | no |
//! | Rate limit | on starts, retries included | on requeues | on requeues | none |
//! | Follows throttling | yes | no | no | no |
//! | Retry count, budget | yes | count by the caller | count by the caller | by the caller |
//! | Panic | ends the change | worker's business | recovered by the controller | ends the stream |
//! | Drain | deadline, rest handed back | waits for running | as shutdown | waits for running, drops the rest |
//! | "Why does it wait?" | per key | no | no | no |
//! | Cost of a step | constant, plus log n for timers | constant | log n | grows with what is active |
//!
//! (As their sources were in 2026: client-go, controller-runtime 0.24, kube-runtime 5.0.)
//!
//! # Another runtime, a simulation
//!
//! [`machine::Machine`](crate::machine::Machine) is the whole scheduler without tasks, timers and clock. Tell it what
//! happens and when; it says what to do. This crate's simulation test drives it through bad days of a model server.
