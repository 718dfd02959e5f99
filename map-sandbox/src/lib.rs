//! A mail world in one process on loopback: DNS, mail hosts, faults, and a mailbox to look into. A test double.
//!
//! Start a [`World`] with [`Sandbox::start`], point the sender at [`Sandbox::dns_server`] and
//! [`Sandbox::smtp_port`], and look at [`Sandbox::mails`] and [`Sandbox::sessions`]. All names are answered by one
//! DNS server on 127.0.0.1, all mail hosts listen on addresses of their own (127.0.0.0/8, `::1`) at one port.
//! Nothing listens beyond loopback. (Linux answers at all of 127.0.0.0/8; other systems need the addresses
//! configured.)
//!
//! # The script of a world
//!
//! ```
//! # let script = "
//! domain qq.com
//!   mx 10 mx1.qq.com
//! domain null.example
//!   mx 0 .
//! domain broken.example
//!   servfail
//!
//! host mx1.qq.com 127.0.0.2
//!   offer PIPELINING, SIZE 10000000
//!   on greeting reply 220 newusamx48.qq.com MX QQ Mail Server
//!   on rcpt nobody@qq.com reply 550 5.1.1 No such user
//!   on connection 1 rcpt reply 451 4.7.1 Greylisted, come again
//!   on data delay 50ms then answer
//!   on content 2 close
//!
//! domain safe.example
//!   signed
//!   mx 10 mx.safe.example
//!   mta-sts enforce
//! host mx.safe.example 127.0.0.3
//!   tls good
//!   tlsa 3 1 1
//!   auth ann s3cret
//!   on connection 2 starttls reply 454 4.7.0 Not now
//! # ";
//! # script.parse::<map_sandbox::World>()?;
//! # Ok::<(), map_sandbox::WorldError>(())
//! ```
//!
//! One statement a line; blanks at its begin and end do not matter; a line that begins with `#` is a comment.
//!
//! ```text
//! world      = *( domain / host )
//!
//! domain     = "domain" NAME *domain-line             ; a name may be written *.example.com
//! domain-line = record / fault / zone / tlsa / mta-sts
//! record     = "a" IPV4 / "aaaa" IPV6 / "mx" PREFERENCE NAME / "txt" TEXT
//!            / "cname" NAME ["alone"]                 ; alone: without what the target has
//!            / "ttl" SECONDS                          ; of all its records; 0 if not said
//! fault      = ( "servfail" / "refused" / "nxdomain" / "notimp" / "formerr"
//!            / "silent"                               ; never an answer
//!            / "truncate"                             ; over UDP only the truncation bit
//!            / "bogus"                                ; signatures that do not verify
//!            / "lapsed"                               ; that held until lately
//!            / "stripped"                             ; that are not there
//!            ) [TYPE]                                 ; for queries of this type only
//!            / "delay" DURATION                       ; before each answer
//!
//! zone       = "signed" [ "nsec" / "nsec3" ]          ; the top of a zone, and how it denies; nsec if not said
//!            / "unsigned"                             ; the top of one that is not signed
//! tlsa       = "tlsa" [ "port" N ] USAGE SELECTOR MATCHING ( [ "wrong" ] "of" HOST / HEX )
//!
//! mta-sts    = "mta-sts" ( MODE *policy-item / "raw" TEXT / 1*policy-item )    ; later items add to the first
//! MODE       = "enforce" / "testing" / "none"
//! policy-item = "max_age" SECONDS / "mx" PATTERN      ; 86400, and the domain's mail hosts, if not said
//!            / "id" ID                                ; of the TXT record; follows the policy if not said
//!            / "certificate" 1*( "expired" / "self-signed" / "untrusted" / "wrong-name" )
//!            / "down"                                 ; connections are refused
//!            / "status" CODE                          ; of HTTP, in the place of 200
//!            / "huge" / "stall"                       ; a policy of a MiB; never an answer
//!
//! host       = "host" NAME 1*ADDRESS [ "refused" / "unanswered" ] *host-line
//! host-line  = "offer" ( EXTENSION *( "," EXTENSION ) / "nothing" )
//!            / "without" COMMAND                      ; 502 to it
//!            / "tls" [ "connection" N ] [ "implicit" ] ( certificate / tls-fault )
//!            / "tlsa" [ "port" N ] USAGE SELECTOR MATCHING [ "wrong" ]    ; of this host
//!            / "auth" USER SECRET [ MECHANISM *( "," MECHANISM ) ] [ "clear" ]
//!            / "require" ( "auth" / "tls" )           ; 530 to what comes without
//!            / "on" [ "connection" N ] STAGE [N] [ARGUMENT] action *( "then" action )
//!            / "cut" [ "connection" N ] stop "after" ( "sent" / "received" ) OCTETS
//!
//! certificate = ( "good" / 1*( "expired" / "self-signed" / "untrusted" / "wrong-name" ) )
//!              [ "1.2" ]                              ; no newer TLS than 1.2
//!              [ "for" NAME *( "," NAME ) ]           ; in the place of the host's name
//! tls-fault  = "stall"                                ; never an octet after the client's first
//!            / "break" / "reset"                      ; the end of the stream there, or RST
//!            / "old"                                  ; an alert: no such version of TLS
//!            / "garbage"                              ; text in the place of a handshake
//!
//! MECHANISM  = "SCRAM-SHA-256" / "PLAIN" / "LOGIN"    ; these if none is said
//!            / "XOAUTH2"                              ; SECRET is the token
//!
//! STAGE      = "greeting" / "content" / "unknown" / COMMAND       ; ehlo, mail, rcpt, data, quit, …
//!            / "response"                             ; to a challenge of AUTH
//! action     = "reply" CODE TEXT *( " | " TEXT )      ; several texts are several lines
//!            / "raw" TEXT                             ; octets as they are, with \r \n \t \\ \xNN
//!            / "answer"                               ; what the host would say by itself
//!            / "delay" DURATION
//!            / "drip" DURATION                        ; the rest of the rule: a pause before each octet
//!            / stop
//! stop       = "close"                                ; the end of the stream, in good order
//!            / "reset"                                ; RST
//!            / "silent"                               ; stays and listens, but never says a word again
//!            / "stall"                                ; stays, and does not even read
//! DURATION   = NUMBER ( "ms" / "s" )
//! ```
//!
//! **Names.** A name that is in no `domain` or `host` line does not exist (NXDOMAIN), unless one below it does. A
//! `host` has its addresses in the DNS without a `domain` of its own. Aliases are followed as a resolver does it.
//! `a` and `aaaa` may name any address; the sandbox listens at those of its hosts only.
//!
//! **DNSSEC.** As soon as a world has a `signed` line its root is signed, by a key that [`Sandbox::trust_anchor`] tells.
//! Every `signed` or `unsigned` domain is a zone of its own, with all names below it that are not in another; the
//! nearest zone above it vouches for its keys, or proves that it has none. A name in no such zone is in an unsigned one
//! (`domain .` with `signed` puts all of them into the root's instead). Signatures are made for each answer, for who asks
//! for them (DO). Faults stand in their place: the servers of the world are one resolver that has not validated, so that
//! `servfail` needs no proof, and `nxdomain` or the like in a signed zone is a forgery.
//!
//! **TLSA.** A `tlsa` record is made from the certificate that the host shows (or its authority's, for the usages 0 and
//! 2), of a host without TLS from the one it would show; `wrong` changes it. It stands at `_PORT._tcp` below the name,
//! without a `port` at 25 and at [`Sandbox::smtp_port`]; that of a domain whose name begins with `_` or `*` at just that
//! name. A fault of the type TLSA holds for the services below its name, too: `servfail TLSA` of a host.
//!
//! **MTA-STS.** A domain with an `mta-sts` line has the TXT record `_mta-sts` and a policy host `mta-sts` below it,
//! unless the script writes these names by hand. All policy hosts are one HTTPS server on 127.0.0.1 at
//! [`Sandbox::https_port`]; [`Sandbox::policy_fetches`] tells who asked. A redirection leads to the same policy.
//!
//! **Hosts.** An address that is `refused` refuses connections; one that is `unanswered` lets them time out (on
//! Linux). A host offers `PIPELINING, SIZE 10240000, 8BITMIME, ENHANCEDSTATUSCODES` unless `offer` says otherwise,
//! follows RFC 5321 in its commands, their order and its limits, and takes every mail. It knows HELO, EHLO, MAIL,
//! RCPT, DATA, RSET, VRFY, EXPN, HELP, NOOP and QUIT; other known commands get 502, unknown ones 500. One that offers
//! CHUNKING knows BDAT: the last chunk is the stage `content`, others are `bdat`. The parameters of BINARYMIME, DSN and
//! REQUIRETLS are taken where those are offered.
//!
//! **TLS.** A host with a `tls` line offers STARTTLS, unless its extensions are written by `offer`, and begins a
//! handshake after every 220 it says to that command, by itself or by a rule: what a rule says after the 220 leaves
//! before the handshake, in the same segment. `implicit` begins it before the greeting instead. A good certificate is
//! for the host's name and its addresses, by the authority of [`Sandbox::certificate_authority`]; one that is
//! `untrusted` is by another. Rules hold under TLS as before it.
//!
//! **AUTH.** A host with an `auth` line offers AUTH under TLS, and in the clear only if the line ends in `clear`
//! (538 else). Several lines are several users. Its own reply to wrong credentials is 535; whatever rules say, 334
//! goes on with the exchange and 235 means that the client is logged in.
//!
//! **Rules.** `on` puts actions in the place of the host's own answer. The number after the stage says which time
//! in a connection is meant, the argument a path (`bob@qq.com`, in any case, with one `*` for anything; `<>` is the
//! null path) or what stands after another command, `connection` which connection of the host. Of several rules
//! that fit, the one with the most conditions counts, then the first. A rule that says nothing and does not stop
//! ends in `answer`. The code of its first reply decides how the session goes on: after `on data reply 354 Go`
//! content is read, after `on content reply 250 Ok` the mail is taken. Further replies are said as well, in the
//! same segment, and change nothing. A text ends at the first ` then ` behind which actions follow. 421 closes the
//! connection.
//!
//! **Cuts** count the octets of a whole connection on the wire, with what TLS adds. After its last octet sent the host
//! stops; the last octet received is still heard (a content may be complete with it, and taken), but nothing is said to
//! it.

#![forbid(unsafe_code)]

mod auth;
mod certificates;
mod dns;
mod host;
mod input;
mod keys;
mod log;
mod policy_host;
mod sandbox;
mod script;
mod signals;
mod smtp;
mod tlsa;
mod wire;
mod world;
mod zones;

pub use crate::log::{Authentication, Mail, PolicyFetch, Session};
pub use crate::sandbox::Sandbox;
pub use crate::world::{World, WorldError};
