//! What the callback plugin really wrote, folded: the live rows agree with Ansible's own recap before it comes.

use admiral::{
    domain::deployment::{Counters, HostStatus},
    events::{LineParser, ParsedLine, RunState, WireEvent, wire::kind},
};

const FILES: [(&str, &str); 2] = [
    ("2.19", include_str!("../golden/coverage.jsonl")),
    ("2.16", include_str!("../golden/coverage-oldest.jsonl")),
];

fn events(text: &str) -> Vec<WireEvent> {
    let mut parser = LineParser::new(0);
    let lines = parser.feed(text.as_bytes());
    assert!(parser.finish().is_none());
    lines
        .into_iter()
        .map(|line| match line {
            ParsedLine::Event { event, .. } => *event,
            ParsedLine::Invalid { reason } => panic!("{reason}"),
        })
        .collect()
}

#[test]
fn live_rows_agree_with_the_recap() {
    for (version, text) in FILES {
        let mut state = RunState::new([]);
        let mut recaps = 0;
        for event in events(text) {
            if event.event == kind::STATS {
                recaps += 1;
                for (host, recap) in event.stats.as_ref().expect("a recap") {
                    let live = state.host(host).expect("heard of before").counters;
                    let recap = Counters {
                        ok: recap.ok,
                        changed: recap.changed,
                        // Live, a rescued failure is a failure.
                        failed: recap.failures + recap.rescued,
                        skipped: recap.skipped,
                        rescued: 0,
                        ignored: recap.ignored,
                        unreachable: recap.unreachable,
                    };
                    assert_eq!(live, recap, "{host} on {version}");
                }
            }
            state.apply(&event);
        }
        assert_eq!(recaps, 1, "{version}");
        assert!(state.hosts().all(|(_, host)| host.status.is_final()), "{version}");
        let counts = state.counts();
        assert_eq!((counts.failed, counts.unreachable), (1, 1), "{version}");
        let gamma = state.host("gamma").expect("a host");
        assert_eq!(gamma.status, HostStatus::Failed);
        assert!(gamma.error_message.is_some(), "{version}");
    }
}
