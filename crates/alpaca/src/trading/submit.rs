//! What an answer to an order means.

use std::time::Duration;

use walkforward_core::{ClientOrderId, OrderState, RejectReason, Rejection, SubmitError, Symbol};

use super::order::parse_order;
use crate::http::{PostAnswer, PostFailure};
use crate::{Keys, refusal};

/// The code of an id that the service has had.
const CODE_DUPLICATE: u64 = 40_010_001;

/// What became of the order `id` of `symbol`. Everything that is not surely one of the others is
/// [`SubmitError::Unknown`]: a needless look-up costs a request, a needless order money.
pub(super) fn outcome(
    answer: Result<PostAnswer, PostFailure>,
    id: &ClientOrderId,
    symbol: &Symbol,
    keys: &Keys,
) -> Result<OrderState, SubmitError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(PostFailure::NotSent { reason, wait }) => return Err(not_placed(reason, wait)),
        Err(PostFailure::Lost { reason }) => return Err(SubmitError::Unknown { reason }),
    };
    let PostAnswer { status, body, told } = answer;
    let status = status.as_u16();
    let message = keys.hide(&refusal::message(&body));
    match (status, refusal::code(&body)) {
        (200..=299, _) => placed(&body, id, symbol),
        (429, _) => Err(not_placed(format!("the service answers 429, '{message}'"), told)),
        (300..=399, _) => {
            Err(not_placed(format!("the service answers {status}, and redirects are not followed"), None))
        }
        (400..=499, Some(code)) if is_duplicate(code, &message) => {
            Err(SubmitError::DuplicateId { id: id.clone() })
        }
        // Without the service's own code, the answer may be that of somebody on the way.
        (400 | 401 | 403 | 404 | 422, Some(code)) => {
            let reason = kind(status, &message);
            Err(SubmitError::Rejected(Rejection { reason, status, code: Some(code), message }))
        }
        _ => Err(SubmitError::Unknown { reason: format!("the service answers {status}, '{message}'") }),
    }
}

fn not_placed(reason: String, wait: Option<Duration>) -> SubmitError {
    let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    SubmitError::NotPlaced { reason, wait_ms }
}

fn placed(body: &[u8], id: &ClientOrderId, symbol: &Symbol) -> Result<OrderState, SubmitError> {
    let state =
        parse_order(body, symbol).map_err(|error| SubmitError::Unknown { reason: error.to_string() })?;
    match state.origin.id() == Some(id) {
        true => Ok(state),
        false => {
            let reason = format!("the answer to {id} is about the order of {:?}", state.origin);
            Err(SubmitError::Unknown { reason: refusal::one_line(&reason) })
        }
    }
}

fn is_duplicate(code: u64, message: &str) -> bool {
    let says_so = message.contains("client_order_id") && message.contains("unique");
    says_so || code == CODE_DUPLICATE && message.contains("client_order_id")
}

/// The kind of a refusal. One code stands for several, so the words decide.
fn kind(status: u16, message: &str) -> RejectReason {
    let text = message.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    match status {
        401 => RejectReason::NotAuthorised,
        _ if has(&["insufficient balance", "insufficient buying power", "insufficient qty"]) => {
            RejectReason::InsufficientBalance
        }
        _ if has(&["minimal amount", "minimum", "must be >="]) => RejectReason::BelowMinimum,
        _ if has(&["maximum", "must be <=", "max notional", "exceeds"]) => RejectReason::AboveMaximum,
        _ if has(&["wash trade"]) => RejectReason::WashTrade,
        _ if has(&["time_in_force", "time in force"]) => RejectReason::TimeInForce,
        _ if has(&["account is", "trading is blocked", "blocked", "suspended", "not eligible"]) => {
            RejectReason::AccountBlocked
        }
        _ if has(&["not authorized", "unauthorized", "forbidden"]) => RejectReason::NotAuthorised,
        _ if has(&["asset", "symbol", "not tradable"]) => RejectReason::Symbol,
        400 | 422 => RejectReason::Malformed,
        _ => RejectReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::StatusCode;

    use super::*;

    fn check(status: u16, body: &str) -> Result<OrderState, SubmitError> {
        let answer = PostAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.as_bytes().to_vec(),
            told: (status == 429).then_some(Duration::from_secs(7)),
        };
        let keys = Keys { id: "PKTESTKEYID".into(), secret: "verysecretvalue".into() };
        outcome(Ok(answer), &"wf-1".parse().unwrap(), &"BTC/USD".parse().unwrap(), &keys)
    }

    fn rejected(status: u16, code: u64, message: &str) -> RejectReason {
        let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        match check(status, &body) {
            Err(SubmitError::Rejected(it)) => {
                assert_eq!((it.status, it.code), (status, Some(code)));
                it.reason
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_code_is_told_apart_by_its_words() {
        use RejectReason::*;
        for (status, code, message, expected) in [
            (401, 40110000, "request is not authorized", NotAuthorised),
            (
                403,
                40310000,
                "insufficient balance for USD (requested: 134.58, available: 6.71)",
                InsufficientBalance,
            ),
            (403, 40310000, "insufficient buying power", InsufficientBalance),
            (403, 40310000, "cost basis must be >= minimal amount of order 10", BelowMinimum),
            (403, 40310000, "potential wash trade detected. use complex orders", WashTrade),
            (403, 40310000, "account is restricted to liquidation only", AccountBlocked),
            (403, 40310000, "forbidden", NotAuthorised),
            (403, 40310000, "something new", Other),
            (422, 42210000, "invalid crypto time_in_force", TimeInForce),
            (422, 42210000, "asset BTC/USDX not found", Symbol),
            (422, 42210000, "notional must be <= 200000", AboveMaximum),
            (422, 42210000, "qty must be a number", Malformed),
        ] {
            assert_eq!(rejected(status, code, message), expected, "{message}");
        }
    }

    #[test]
    fn an_id_that_was_used_is_looked_up() {
        let body = r#"{"code":40010001,"message":"client_order_id must be unique"}"#;
        assert!(matches!(check(422, body), Err(SubmitError::DuplicateId { .. })));
    }

    #[test]
    fn what_is_not_sure_is_unknown() {
        let order = r#"{"id":"1","client_order_id":"wf-1","symbol":"BTC/USD","side":"buy","status":"new","updated_at":"2024-01-01T00:00:00Z"}"#;
        assert!(check(200, order).is_ok());
        for (status, body) in [
            (200, &order[..40]),
            (200, ""),
            (200, "<html>ok</html>"),
            (200, &order.replace("wf-1", "wf-2")),
            (200, &order.replace("BTC/USD", "ETH/USD")),
            (403, "<html>blocked by the proxy</html>"),
            (403, r#"{"message":"no code"}"#),
            (408, ""),
            (409, r#"{"code":40910000,"message":"conflict"}"#),
            (500, r#"{"code":50010000,"message":"internal server error"}"#),
            (502, "<html>502 Bad Gateway</html>"),
            (503, "upstream connect error or disconnect/reset before headers"),
            (504, ""),
        ] {
            assert!(matches!(check(status, body), Err(SubmitError::Unknown { .. })), "{status} {body}");
        }
    }

    #[test]
    fn what_was_surely_not_taken_says_so() {
        let limited = check(429, r#"{"code":42910000,"message":"rate limit exceeded"}"#);
        assert!(matches!(limited, Err(SubmitError::NotPlaced { wait_ms: Some(7_000), .. })), "{limited:?}");
        assert!(matches!(check(307, ""), Err(SubmitError::NotPlaced { .. })));
    }

    #[test]
    fn no_answer_shows_a_key() {
        for (status, code) in [(401, 40110000), (500, 50010000), (429, 42910000)] {
            let body = format!(r#"{{"code":{code},"message":"bad key PKTESTKEYID verysecretvalue"}}"#);
            let error = check(status, &body).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("PKTESTKEYID") && !shown.contains("verysecretvalue"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics_and_none_but_an_order_is_taken_for_one(status in 200_u16..600, body in ".{0,80}") {
            prop_assert!(check(status, &body).is_err());
        }
    }
}
