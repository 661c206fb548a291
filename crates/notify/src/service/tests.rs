//! The service over sinks that fail, hang and refuse.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;
use walkforward_testing::{FakeSink, SinkAnswer};

use super::*;
use crate::sink::Retry;
use crate::{Format, Heartbeat, HttpOptions, NoticeKind, QuietHours, TelegramSink, WebhookSink};

/// The time of the runtime's clock, which a test may pause.
struct RuntimeClock {
    start: tokio::time::Instant,
    noon: Timestamp,
}

impl RuntimeClock {
    fn start() -> Arc<Self> {
        let noon = "2024-01-01T12:00:00Z".parse().unwrap();
        Arc::new(Self { start: tokio::time::Instant::now(), noon })
    }
}

#[async_trait]
impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        self.noon.plus_millis(i64::try_from(self.start.elapsed().as_millis()).unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        let away = u64::try_from(deadline.millis_since(self.now())).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(away)).await;
    }
}

/// A sink that does what its script says, then takes everything.
struct Scripted {
    name: &'static str,
    script: Vec<Result<(), Retry>>,
    attempts: AtomicUsize,
    taken: Mutex<Vec<(Duration, String)>>,
    clock: Arc<RuntimeClock>,
}

impl Scripted {
    fn new(name: &'static str, script: &[Result<(), Retry>], clock: &Arc<RuntimeClock>) -> Arc<Self> {
        let (attempts, taken) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { name, script: script.to_vec(), attempts, taken, clock: Arc::clone(clock) })
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }
}

#[async_trait]
impl Sink for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    async fn deliver(&self, notice: &Notice) -> Result<(), SinkFailure> {
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        match self.script.get(attempt) {
            Some(Err(retry)) => {
                Err(SinkFailure { reason: "scripted".to_owned(), advice: String::new(), retry: *retry })
            }
            _ => {
                self.taken.lock().unwrap().push((self.clock.monotonic(), notice.text.clone()));
                Ok(())
            }
        }
    }
}

/// A sink that never says anything.
struct Mute;

#[async_trait]
impl Sink for Mute {
    fn name(&self) -> &str {
        "mute"
    }

    async fn deliver(&self, _: &Notice) -> Result<(), SinkFailure> {
        std::future::pending().await
    }
}

fn options(dir: &tempfile::TempDir, sinks: Vec<Arc<dyn Sink>>) -> NotifyOptions {
    let file = dir.path().join("notices.json");
    NotifyOptions { rules: Rules::default(), sinks, file, patience: Patience::default() }
}

fn batch(texts: &[&str], cursor: u64) -> Batch {
    let notice = |text: &&str| Notice::new(NoticeKind::CycleFailed, "btc", text, Timestamp::EPOCH);
    Batch { notices: texts.iter().map(notice).collect(), cursor: Some(json!(cursor)) }
}

/// Runs a service until it has sent what it can.
async fn run(options: NotifyOptions, clock: &Arc<RuntimeClock>, batches: Vec<Batch>) {
    let (service, notifier) = NotifyService::open(options, clock.clone());
    let running = tokio::spawn(service.run());
    for batch in batches {
        notifier.offer(batch).await.unwrap();
    }
    drop(notifier);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_fails_gets_its_notices_later_and_the_others_at_once() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), RuntimeClock::start());
    let told = Retry::After(Some(Duration::from_secs(90)));
    let script = [Err(Retry::After(None)), Err(Retry::After(None)), Err(told), Ok(())];
    let (failing, fine) = (Scripted::new("failing", &script, &clock), Scripted::new("fine", &[], &clock));
    let sinks: Vec<Arc<dyn Sink>> = vec![failing.clone(), fine.clone()];
    let (service, notifier) = NotifyService::open(options(&dir, sinks), clock.clone());
    let running = tokio::spawn(service.run());
    notifier.offer(batch(&["a", "b"], 1)).await.unwrap();
    while failing.taken().len() < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(notifier);
    running.await.unwrap();
    assert_eq!((failing.taken(), fine.taken()), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
    let at: Vec<u64> = failing.taken.lock().unwrap().iter().map(|(at, _)| at.as_secs()).collect();
    // Two seconds, four, and then the ninety that it asked for.
    assert!(at[0] >= 96 && at[0] < 120, "{at:?}");
    assert!(fine.taken.lock().unwrap().iter().all(|(at, _)| at.as_secs() < 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_refuses_for_good_is_not_sent_again() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), RuntimeClock::start());
    let sink = Scripted::new("one", &[Err(Retry::Never)], &clock);
    run(options(&dir, vec![sink.clone()]), &clock, vec![batch(&["a", "b"], 1)]).await;
    assert_eq!(sink.taken(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_sends_what_is_left_and_nothing_twice() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), RuntimeClock::start());
    let (fine, failing) =
        (Scripted::new("fine", &[], &clock), Scripted::new("failing", &[Err(Retry::After(None))], &clock));
    let sinks: Vec<Arc<dyn Sink>> = vec![fine.clone(), failing];
    run(options(&dir, sinks), &clock, vec![batch(&["a"], 7)]).await;
    let again = Scripted::new("failing", &[], &clock);
    let sinks: Vec<Arc<dyn Sink>> = vec![fine.clone(), again.clone()];
    let (service, notifier) = NotifyService::open(options(&dir, sinks), clock.clone());
    assert_eq!(service.cursor(), Some(&json!(7)));
    let running = tokio::spawn(service.run());
    // The same cause, told once more after the restart.
    notifier.offer(batch(&["a"], 8)).await.unwrap();
    drop(notifier);
    running.await.unwrap();
    assert_eq!((fine.taken(), again.taken()), (vec!["a".to_owned()], vec!["a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_is_kept_over_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), RuntimeClock::start());
    let sink = Scripted::new("one", &[], &clock);
    let quiet = QuietHours::parse("11:00-13:00", "UTC").ok();
    let held = || {
        let options = options(&dir, vec![sink.clone() as Arc<dyn Sink>]);
        NotifyOptions { rules: Rules { quiet, ..Rules::default() }, ..options }
    };
    run(held(), &clock, vec![batch(&["a"], 1)]).await;
    assert!(sink.taken().is_empty());
    let (service, notifier) = NotifyService::open(held(), clock.clone());
    let running = tokio::spawn(service.run());
    while sink.taken().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let at = clock.now();
    assert!(at.millis_since("2024-01-01T13:00:00Z".parse().unwrap()) >= 0, "{at}");
    drop(notifier);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_holds_up_neither_the_others_nor_who_tells() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), RuntimeClock::start());
    let fine = Scripted::new("fine", &[], &clock);
    let sinks: Vec<Arc<dyn Sink>> = vec![Arc::new(Mute), fine.clone()];
    let (service, notifier) = NotifyService::open(options(&dir, sinks), clock.clone());
    let running = tokio::spawn(service.run());
    for number in 0..100 {
        notifier.offer(batch(&[], number)).await.unwrap();
    }
    notifier.offer(batch(&["a", "b"], 100)).await.unwrap();
    while fine.taken().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(clock.monotonic() < MAX_ATTEMPT);
    running.abort();
}

#[tokio::test]
async fn a_damaged_file_is_begun_anew() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), RuntimeClock::start());
    std::fs::write(dir.path().join("notices.json"), "{\"waiting\": 7").unwrap();
    let sink = Scripted::new("one", &[], &clock);
    let (service, _) = NotifyService::open(options(&dir, vec![sink.clone()]), clock.clone());
    assert_eq!(service.cursor(), None);
    run(options(&dir, vec![sink.clone()]), &clock, vec![batch(&["a"], 1)]).await;
    assert_eq!(sink.taken(), ["a"]);
}

fn webhook(fake: &FakeSink, format: Format) -> WebhookSink {
    let options = HttpOptions { timeout: Duration::from_secs(2), ..HttpOptions::default() };
    let url = SecretString::from(fake.url("/services/hidden-in-the-path?key=hidden"));
    WebhookSink::new(format, &url, None, &options).unwrap()
}

async fn outcome(answer: SinkAnswer) -> SinkFailure {
    let fake = FakeSink::new();
    fake.answer(answer);
    let notice = Notice::new(NoticeKind::Test, "here", "it works", Timestamp::EPOCH);
    let failure = webhook(&fake, Format::Slack).deliver(&notice).await.unwrap_err();
    assert_eq!(fake.seen().len(), 1);
    assert!(!format!("{failure:?}").contains("hidden"), "{failure:?}");
    failure
}

#[tokio::test]
async fn every_way_to_fail_says_what_happened_and_shows_no_secret() {
    let body = "no_service for /services/hidden-in-the-path".to_owned();
    let gone = outcome(SinkAnswer::Status(404, None, body)).await;
    assert_eq!(
        (gone.reason.as_str(), gone.retry),
        ("it answers 404, 'no_service for /***/***'", Retry::Never)
    );
    assert!(gone.advice.contains("make a new webhook"));
    let busy = outcome(SinkAnswer::Status(429, Some(7), String::new())).await;
    assert_eq!(busy.retry, Retry::After(Some(Duration::from_secs(7))));
    assert_eq!(outcome(SinkAnswer::status(503)).await.retry, Retry::After(None));
    assert_eq!(outcome(SinkAnswer::status(302)).await.retry, Retry::Never);
    assert_eq!(outcome(SinkAnswer::Close).await.retry, Retry::After(None));
    let slow = outcome(SinkAnswer::Hang).await;
    assert!(slow.reason.starts_with("timed out"), "{slow}");
}

#[tokio::test]
async fn a_webhook_posts_its_body_and_its_token() {
    let fake = FakeSink::new();
    let url = SecretString::from(fake.url("/topic"));
    let token = Some(SecretString::from("tk_1"));
    let sink = WebhookSink::new(Format::Ntfy, &url, token, &HttpOptions::default()).unwrap();
    sink.deliver(&Notice::new(NoticeKind::Test, "here", "it works", Timestamp::EPOCH)).await.unwrap();
    let seen = fake.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str(), seen.body.as_str()),
        ("POST", "/topic", "it works")
    );
    assert_eq!(seen.header("authorization"), Some("Bearer tk_1"));
    assert_eq!((seen.header("title"), seen.header("priority")), (Some("[info] test: here"), Some("3")));
}

#[tokio::test]
async fn telegram_says_in_its_answer_what_is_wrong_and_how_long_to_wait() {
    let fake = FakeSink::new();
    let token = SecretString::from("123456:hidden-token");
    let sink = TelegramSink::new(&fake.url("/"), &token, "42", &HttpOptions::default()).unwrap();
    let notice = Notice::new(NoticeKind::Test, "here", "it works", Timestamp::EPOCH);
    sink.deliver(&notice).await.unwrap();
    let seen = fake.seen().remove(0);
    assert_eq!(
        (seen.path.as_str(), &seen.json()["chat_id"]),
        ("/bot123456:hidden-token/sendMessage", &json!("42"))
    );
    let wait =
        json!({ "ok": false, "description": "Too Many Requests", "parameters": { "retry_after": 33 } });
    fake.answer(SinkAnswer::Status(429, None, wait.to_string()));
    let failure = sink.deliver(&notice).await.unwrap_err();
    assert_eq!(failure.retry, Retry::After(Some(Duration::from_secs(33))));
    fake.answer(SinkAnswer::Status(400, None, json!({ "description": "chat not found" }).to_string()));
    let failure = sink.deliver(&notice).await.unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.retry), ("it answers 400, 'chat not found'", Retry::Never));
    assert!(
        TelegramSink::new("https://x", &SecretString::from("a/b"), "42", &HttpOptions::default()).is_err()
    );
}

#[tokio::test]
async fn signs_of_life_that_are_asked_for_at_once_become_one_or_two() {
    let fake = FakeSink::new();
    let heartbeat =
        Heartbeat::start(&SecretString::from(fake.url("/ping/hidden")), &HttpOptions::default()).unwrap();
    (0..1_000).for_each(|_| heartbeat.ping());
    let seen =
        tokio::task::spawn_blocking(move || fake.wait_until(|seen| !seen.is_empty()).len()).await.unwrap();
    assert!(seen <= 2, "{seen}");
}
