//! Scripts that cannot be read: the line, and the reason in words.

use map_sandbox::World;

/// A script, and what is said of it.
const UNREADABLE: &[(&str, &str)] = &[
    (
        "mx 10 a.example",
        "line 1: `mx` stands before the first `domain` or `host`",
    ),
    ("# x\n\ndomain", "line 3: `domain` needs something after it"),
    ("domain a b", "line 1: `domain` takes one word, but `b` follows"),
    (
        "domain bücher.example",
        "line 1: `bücher.example` is no domain name (A-labels only)",
    ),
    ("domain a..b", "line 1: `a..b` is no domain name (A-labels only)"),
    ("domain a\n a 1.2.3", "line 2: `1.2.3` is no IPv4 address"),
    ("domain a\n a ::1", "line 2: `::1` is no IPv4 address"),
    ("domain a\n aaaa 1.2.3.4", "line 2: `1.2.3.4` is no IPv6 address"),
    (
        "domain a\n mx mx.a",
        "line 2: `mx.a` is no preference: `mx 10 mx.example.com`",
    ),
    (
        "domain a\n mx 70000 mx.a",
        "line 2: `70000` is no preference: `mx 10 mx.example.com`",
    ),
    ("domain a\n mx 10", "line 2: `mx` needs something after it"),
    (
        "domain a\n cname b\n cname c",
        "line 3: a name has one `cname` at most",
    ),
    (
        "domain a\n cname b c",
        "line 2: `c` after the target: only `alone` can stand there",
    ),
    ("domain a\n cname", "line 2: a domain name is missing"),
    ("domain a\n ttl long", "line 2: `long` is no number of seconds"),
    (
        "domain a\n txt \\q",
        "line 2: a backslash stands before r, n, t, xNN or another backslash",
    ),
    ("domain a\n servfail qq", "line 2: `qq` is no type of record"),
    (
        "domain a\n signed nsec5",
        "line 2: `signed nsec5`: a zone is signed with `nsec` or `nsec3`",
    ),
    (
        "domain a\n unsigned nsec",
        "line 2: `unsigned nsec`: a zone is signed with `nsec` or `nsec3`",
    ),
    (
        "domain a\n cname b\n signed",
        "line 3: a name with a `cname` cannot be the top of a zone",
    ),
    (
        "domain a\n unsigned\n cname b",
        "line 3: a name with a `cname` cannot be the top of a zone",
    ),
    ("domain *.a\n signed", "line 2: a wildcard cannot be `signed`"),
    (
        "domain *.a\n mta-sts enforce",
        "line 2: a wildcard cannot be `mta-sts`",
    ),
    (
        "tlsa 3 1 1 00",
        "line 1: `tlsa` stands before the first `domain` or `host`",
    ),
    (
        "domain a\n tlsa 3 1 1",
        "line 2: a TLSA record is written `tlsa 3 1 1 of HOST`, or with hexadecimal data",
    ),
    (
        "domain a\n tlsa 3 1 1 0",
        "line 2: a TLSA record is written `tlsa 3 1 1 of HOST`, or with hexadecimal data",
    ),
    (
        "domain a\n tlsa 3 1",
        "line 2: a TLSA record is written `tlsa 3 1 1 of HOST`, or with hexadecimal data",
    ),
    ("domain a\n tlsa 3 x 1 00", "line 2: `x` is no number up to 255"),
    (
        "domain a\n tlsa port 70000 3 1 1 00",
        "line 2: `70000` is no port",
    ),
    (
        "domain a\n tlsa 3 1 1 of b\nhost c 127.0.0.2",
        "line 2: there is no host `b`",
    ),
    (
        "domain a\n mta-sts down",
        "line 2: `mta-sts` begins with enforce, testing, none or raw",
    ),
    (
        "domain a\n mta-sts enforce later",
        "line 2: `mta-sts` knows no `later`",
    ),
    (
        "domain a\n mta-sts enforce mx",
        "line 2: `mx` needs something after it",
    ),
    (
        "domain a\n mta-sts enforce max_age x",
        "line 2: `x` is no number of seconds",
    ),
    (
        "domain a\n mta-sts enforce status 42",
        "line 2: `42` is no status of HTTP",
    ),
    (
        "domain a\n mta-sts enforce certificate down",
        "line 2: a certificate is `good`, or it is said what is wrong with it",
    ),
    (
        "host a 127.0.0.2\n tls",
        "line 2: `tls` needs a certificate: `tls good`",
    ),
    (
        "host a 127.0.0.2\n tls connection 0 good",
        "line 2: `0` is no number of a connection (from 1)",
    ),
    (
        "host a 127.0.0.2\n tls implicit",
        "line 2: `tls` needs a certificate: `tls good`",
    ),
    (
        "host a 127.0.0.2\n tls 1.2",
        "line 2: a certificate is `good`, or it is said what is wrong with it",
    ),
    (
        "host a 127.0.0.2\n tls good expired",
        "line 2: `good` is no quality of a certificate",
    ),
    (
        "host a 127.0.0.2\n tls untrusted self-signed",
        "line 2: a certificate is `self-signed` or `untrusted`, and once",
    ),
    (
        "host a 127.0.0.2\n tls bad",
        "line 2: `bad` is no quality of a certificate",
    ),
    (
        "host a 127.0.0.2\n tls stall for b",
        "line 2: a handshake that fails shows no name",
    ),
    (
        "host a 127.0.0.2\n tls wrong-name for b",
        "line 2: a certificate has a `wrong-name`, or is `for` names",
    ),
    (
        "host a 127.0.0.2\n auth ann",
        "line 2: an account is written `auth USER SECRET`",
    ),
    (
        "host a 127.0.0.2\n auth ann x PLAIN, NTLM",
        "line 2: `NTLM` is no mechanism of AUTH here",
    ),
    (
        "host a 127.0.0.2\n require dane",
        "line 2: `require dane`: a host can require `auth` or `tls`",
    ),
    ("domain a\n delay 5", "line 2: `5` is no duration like 50ms or 2s"),
    ("domain a\n offer X", "line 2: a domain knows no `offer`"),
    ("host", "line 1: `host` needs a name and an address"),
    ("host a", "line 1: the host `a` needs an address"),
    ("host a refused", "line 1: the host `a` needs an address"),
    ("host a 127.0.0.x", "line 1: `127.0.0.x` is no IP address"),
    ("host a 192.0.2.1", "line 1: 192.0.2.1 is no loopback address"),
    ("host a ::2", "line 1: ::2 is no loopback address"),
    (
        "host a 127.0.0.2 127.0.0.2",
        "line 1: 127.0.0.2 stands there twice",
    ),
    (
        "host a 127.0.0.2 refused 127.0.0.3",
        "line 1: nothing can follow `refused` or `unanswered`, but `127.0.0.3` does",
    ),
    (
        "host a 127.0.0.2\nhost A 127.0.0.3",
        "line 2: the host `A` is there already",
    ),
    (
        "host a 127.0.0.2\nhost b 127.0.0.2",
        "line 2: 127.0.0.2 belongs to `a` already",
    ),
    ("host a 127.0.0.2\n mx 10 b", "line 2: a host knows no `mx`"),
    (
        "host a 127.0.0.2\n offer X,,Y",
        "line 2: `offer` takes extensions with commas between them, or `nothing`",
    ),
    (
        "host a 127.0.0.2\n without GREETING",
        "line 2: `GREETING` is no command",
    ),
    (
        "host a 127.0.0.2\n without greeting",
        "line 2: `greeting` is no command",
    ),
    (
        "host a 127.0.0.2\n on dinner reply 250",
        "line 2: `dinner` is no stage",
    ),
    (
        "host a 127.0.0.2\n on mail",
        "line 2: the rule does not say what is to be done",
    ),
    (
        "host a 127.0.0.2\n on mail 1",
        "line 2: the rule does not say what is to be done",
    ),
    (
        "host a 127.0.0.2\n on mail 0 close",
        "line 2: `0`: one number from 1 says which time is meant",
    ),
    (
        "host a 127.0.0.2\n on mail 1 2 close",
        "line 2: `2`: one number from 1 says which time is meant",
    ),
    (
        "host a 127.0.0.2\n on mail a@b rply 250",
        "line 2: `rply` is no action",
    ),
    (
        "host a 127.0.0.2\n on mail reply 25 x",
        "line 2: `25` is no reply code of three digits",
    ),
    (
        "host a 127.0.0.2\n on mail reply",
        "line 2: `` is no reply code of three digits",
    ),
    (
        "host a 127.0.0.2\n on mail raw \\x4",
        "line 2: `\\x4` is no octet",
    ),
    (
        "host a 127.0.0.2\n on mail raw \\x+4",
        "line 2: `\\x+4` is no octet",
    ),
    (
        "host a 127.0.0.2\n on mail raw x\\",
        "line 2: a backslash stands before r, n, t, xNN or another backslash",
    ),
    (
        "host a 127.0.0.2\n on mail close now",
        "line 2: nothing can follow `close`, but `now` does",
    ),
    (
        "host a 127.0.0.2\n on mail delay 5 then close",
        "line 2: `5` is no duration like 50ms or 2s",
    ),
    (
        "host a 127.0.0.2\n on mail delay 5ms close",
        "line 2: `close`: another action follows after `then`",
    ),
    (
        "host a 127.0.0.2\n on mail delay 5ms then",
        "line 2: `` is no action",
    ),
    (
        "host a 127.0.0.2\n on connection x mail close",
        "line 2: `x` is no number of a connection (from 1)",
    ),
    (
        "host a 127.0.0.2\n on connection 0 mail close",
        "line 2: `0` is no number of a connection (from 1)",
    ),
    (
        "host a 127.0.0.2\n cut close after 5",
        "line 2: a cut is written `cut close after sent 17`",
    ),
    (
        "host a 127.0.0.2\n cut close before sent 5",
        "line 2: a cut is written `cut close after sent 17`",
    ),
    (
        "host a 127.0.0.2\n cut burn after sent 5",
        "line 2: a cut is written `cut close after sent 17`",
    ),
    (
        "host a 127.0.0.2\n cut close after lunch 5",
        "line 2: a cut is written `cut close after sent 17`",
    ),
    (
        "host a 127.0.0.2\n cut close after sent five",
        "line 2: `five` is no number of octets",
    ),
];

#[test]
fn an_error_names_its_line_and_its_reason() {
    for (script, expected) in UNREADABLE {
        match script.parse::<World>() {
            Ok(_) => panic!("{script:?} was read"),
            Err(error) => assert_eq!(error.to_string(), *expected, "{script:?}"),
        }
    }
}

#[test]
fn blanks_line_ends_and_comments_do_not_matter() {
    let script = "\r\n\t# a comment\r\n domain   a.example \r\n\tmx   10\tmx.a.example\r\nhost mx.a.example 127.0.0.2\r\n";
    script.parse::<World>().expect("a world");
}
