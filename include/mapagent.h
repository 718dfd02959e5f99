/*
 * mapagent.h - deliver an e-mail straight to the recipient's own mail server, and learn what happened.
 *
 *     #include <mapagent.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         map_reply reply = map_send("cxw@apple.com", "407184933@qq.com", "test", "test content.");
 *
 *         puts(map_last_reply());             // RE_SUCCESS.
 *         if (reply != RE_SUCCESS)
 *             puts(map_last_advice());        // what happened, and what to do
 *         return reply;
 *     }
 *
 *     cc send.c $(pkg-config --cflags --libs mapagent)
 *
 * The same with settings of its own and with the report:
 *
 *     map_config *config = map_config_new();
 *     map_config_set_deadline_ms(config, 60 * 1000);
 *     map_agent *agent = map_agent_new(config);
 *     map_config_free(config);
 *
 *     map_report *report;
 *     map_agent_send(agent, from, to, subject, content, &report);
 *     if (map_report_delivered(report, MAP_SUMMARY) == MAP_NO && map_report_is_transient(report, MAP_SUMMARY))
 *         try_again_later();
 *     map_report_free(report);
 *     map_agent_free(agent);
 *
 * A mail with more to it than four fields:
 *
 *     map_message *message = map_message_new();
 *     map_message_add_from(message, "Anna <anna@example.com>");
 *     map_message_add_to(message, "Bob <bob@example.net>, carol@example.org");
 *     map_message_set_subject(message, "The report");
 *     map_message_set_text(message, "Please find it attached.");
 *     map_message_attach_file(message, "report.pdf");
 *     map_agent_send_message(agent, message, &report);    // answers, too, what was wrong with a piece
 *     map_message_free(message);
 *
 * Conventions
 *
 *   Handles    All types are opaque. What a function named ..._new returns, and what it writes as an output, is yours: free
 *              it with the function its comment names. ..._free(NULL) does nothing. Using a handle after it was freed is
 *              undefined behaviour, as with free().
 *   Strings    In: UTF-8, ended by a NUL; functions named ..._n take lengths instead. The library keeps no pointer of
 *              yours after a call. Out: ended by a NUL; borrowed, as the comment says, never to be freed by you.
 *   NULL       An empty field where a mail is sent. Everywhere else a required argument that is NULL is RE_MISUSE from a
 *              function that returns a map_reply, NULL from one that returns a handle, and "nothing there" from one
 *              that reads a report.
 *   Outputs    Written only on success, but for the report of a send, which is always written.
 *   Callbacks  A comment says which thread calls a function of yours. None may leave by longjmp() or an exception.
 *   Replies    0 is success. Numbers never change. Handle values that you do not know: later versions may add some.
 *   Threads    Each type says what threads may do. Functions without a handle may be called from any thread at any time.
 *   Processes  After fork() the child can use everything but agents that its parent has used, sessions that send by
 *              them, and queues.
 *   Manners    The library prints nothing, installs no signal handler, never raises SIGPIPE and never exits. Its threads
 *              block all signals but those of faults, and end when they have nothing to do. A call leaves errno as it was,
 *              and a thread that is cancelled finishes its call first. The library stays loaded after dlclose(), because
 *              a thread of its own may be running.
 *   Older code A program compiled with this header runs with every later library of the same SONAME.
 */


#ifndef MAPAGENT_H
#define MAPAGENT_H

/* Made by cbindgen from map-ffi/src: do not edit, run `make header`. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header; map_version() tells the library's. */
#define MAPAGENT_VERSION_MAJOR 0
#define MAPAGENT_VERSION_MINOR 1
#define MAPAGENT_VERSION_PATCH 0
#define MAPAGENT_VERSION "0.1.0"
#define MAPAGENT_VERSION_NUMBER \
    (MAPAGENT_VERSION_MAJOR * 1000000 + MAPAGENT_VERSION_MINOR * 1000 + MAPAGENT_VERSION_PATCH)

/* The recipient index that stands for all recipients in one. */
#define MAP_SUMMARY SIZE_MAX

/* A number of octets that cannot be told. */
#define MAP_SIZE_UNKNOWN UINT64_MAX

/* How often a map_progress_fn is called while a send is under way. */
#define MAP_PROGRESS_INTERVAL_MS 100

/* Before every function. Define MAP_API yourself to override it. */
#ifndef MAP_API
#if defined(_WIN32) && !defined(MAPAGENT_STATIC)
#define MAP_API __declspec(dllimport)
#elif defined(__GNUC__)
#define MAP_API __attribute__((visibility("default")))
#else
#define MAP_API
#endif
#endif


/**
 * The replies of the Mail Agent Protocol. Every send ends in exactly one of them.
 *
 * The numbers never change and are never used again. Later versions may add replies: handle a value that you do not
 * know as a failure of which nothing else is known, and print map_last_reply().
 */
enum map_reply
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The recipient's server accepted the mail; or, where map_config_set_relay() was called, the relay did: see
     * map_report_is_relayed(). In other calls: done.
     */
    RE_SUCCESS = 0,
    /**
     * Fields are empty; map_last_reply() names them all.
     */
    RE_NO_EMPTY = 1,
    /**
     * An address is not one, or a field holds what no e-mail can carry.
     */
    RE_INVALID_FORMAT = 2,
    /**
     * The recipient's domain takes no mail, or its DNS is out of order.
     */
    RE_DNS_FAIL = 3,
    /**
     * There is nobody to talk to: no answer, refused, lost before the content was sent; or TLS was demanded and not to
     * be had.
     */
    RE_SERVER_UNREACH = 4,
    /**
     * Outgoing port 25 is blocked here or by the provider.
     */
    RE_PORT_BLOCKED = 5,
    /**
     * The server answered with a reply code that was not the expected one.
     */
    RE_BADREPLY = 6,
    /**
     * The server refuses the mail: 550, or another permanent refusal for a reason of policy.
     */
    RE_SERVICE_DENIED = 7,
    /**
     * The whole content may have reached the server, and its final reply did not come. The mail may or may not be
     * delivered: sending it again may deliver it twice.
     */
    RE_UNCERTAIN = 64,
    /**
     * The caller cancelled before the content was sent.
     */
    RE_CANCELLED = 65,
    /**
     * A fault inside the library; map_last_advice() says which.
     */
    RE_INTERNAL = 66,
    /**
     * The library was called wrongly; map_last_reply() says how.
     */
    RE_MISUSE = 67,
    /**
     * Some recipients have the mail and the others do not, for certain. Send it again to the others only, or some receive
     * it twice: map_report_reply() says who has it.
     */
    RE_PARTIAL = 68,
    /**
     * This machine or the caller's data failed, not the network and not the library: no descriptor, thread, memory or
     * space left, a file or a reader that cannot be read. map_last_reply() says what.
     */
    RE_LOCAL = 69,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_reply map_reply;
#else
typedef int32_t map_reply;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The answer to a question that has no answer at times.
 */
enum map_answer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * No.
     */
    MAP_NO = 0,
    /**
     * Yes.
     */
    MAP_YES = 1,
    /**
     * It cannot be told.
     */
    MAP_UNKNOWN = 2,
    /**
     * For some recipients and not for the others; only map_report_delivered() of a summary says so.
     */
    MAP_SOME = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_answer map_answer;
#else
typedef int32_t map_answer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What bodies may go as they are, for map_message_set_body_type(), and what map_message_body_type() says that a message
 * needs. Later versions may add some.
 */
enum map_body_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * ASCII in lines of at most 998 octets, which every host takes.
     */
    MAP_BODY_7BIT = 0,
    /**
     * Any octet but NUL in such lines, for hosts with 8BITMIME.
     */
    MAP_BODY_8BIT = 1,
    /**
     * Anything, for hosts with BINARYMIME and CHUNKING.
     */
    MAP_BODY_BINARY = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_body_type map_body_type;
#else
typedef int32_t map_body_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How far a delivery, or an attempt, came. Later versions may add stages. The order of the numbers is not the order of the
 * stages, which is that of the exchange: check, route, connect, greeting, hello, tls, auth, mail, rcpt, data, content.
 */
enum map_stage
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The client's checks; nothing was asked of anybody.
     */
    MAP_STAGE_CHECK = 0,
    /**
     * The DNS.
     */
    MAP_STAGE_ROUTE = 1,
    /**
     * Connecting.
     */
    MAP_STAGE_CONNECT = 2,
    /**
     * The server's greeting.
     */
    MAP_STAGE_GREETING = 3,
    /**
     * EHLO or HELO.
     */
    MAP_STAGE_HELLO = 4,
    /**
     * MAIL.
     */
    MAP_STAGE_MAIL = 5,
    /**
     * RCPT.
     */
    MAP_STAGE_RCPT = 6,
    /**
     * DATA.
     */
    MAP_STAGE_DATA = 7,
    /**
     * The content and its final reply.
     */
    MAP_STAGE_CONTENT = 8,
    /**
     * STARTTLS and the TLS handshake: after MAP_STAGE_HELLO, or after MAP_STAGE_CONNECT with implicit TLS.
     */
    MAP_STAGE_TLS = 9,
    /**
     * AUTH: in front of MAP_STAGE_MAIL.
     */
    MAP_STAGE_AUTH = 10,
    /**
     * None of these.
     */
    MAP_STAGE_OTHER = 255,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_stage map_stage;
#else
typedef int32_t map_stage;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How an attempt ended.
 */
enum map_attempt_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The host took the mail.
     */
    MAP_ATTEMPT_ACCEPTED = 0,
    /**
     * It did not.
     */
    MAP_ATTEMPT_FAILED = 1,
    /**
     * Nobody knows, of one recipient at least.
     */
    MAP_ATTEMPT_UNCERTAIN = 2,
    /**
     * It took the mail for some of the recipients it was asked for, and not for the others.
     */
    MAP_ATTEMPT_PARTIAL = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_attempt_outcome map_attempt_outcome;
#else
typedef int32_t map_attempt_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Has a mail host proved who it is, and how? Later versions may add some.
 */
enum map_verified
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * No: the session was in the clear, or its certificate was not looked at.
     */
    MAP_VERIFIED_NONE = 0,
    /**
     * By a certificate for its name from an authority that is trusted.
     */
    MAP_VERIFIED_PKIX = 1,
    /**
     * By the signed TLSA records of its zone (DANE, RFC 7672).
     */
    MAP_VERIFIED_DANE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_verified map_verified;
#else
typedef int32_t map_verified;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What demanded a protected session with a mail host. Later versions may add some.
 */
enum map_tls_policy
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing: TLS was used if it was offered.
     */
    MAP_TLS_POLICY_NONE = 0,
    /**
     * The TLSA records of the host (RFC 7672).
     */
    MAP_TLS_POLICY_DANE = 1,
    /**
     * The MTA-STS policy of the recipient's domain (RFC 8461).
     */
    MAP_TLS_POLICY_MTA_STS = 2,
    /**
     * The security of map_config_set_relay().
     */
    MAP_TLS_POLICY_RELAY = 3,
    /**
     * map_config_set_require_tls().
     */
    MAP_TLS_POLICY_REQUIRED = 4,
    /**
     * None of these.
     */
    MAP_TLS_POLICY_OTHER = 255,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_tls_policy map_tls_policy;
#else
typedef int32_t map_tls_policy;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Is outgoing port 25 blocked? Later versions may add answers.
 */
enum map_port25
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * There was no reason to ask, nobody could be asked, or nobody could say; map_report_port25_text() has the reason.
     */
    MAP_PORT25_NOT_ASKED = 0,
    /**
     * It is open: it is the recipient's host that cannot be reached.
     */
    MAP_PORT25_OPEN = 1,
    /**
     * This machine forbids it, and only this port.
     */
    MAP_PORT25_BLOCKED_HERE = 2,
    /**
     * Somebody between this machine and the Internet blocks it.
     */
    MAP_PORT25_BLOCKED = 3,
    /**
     * Most likely somebody on the way blocks it: some who should answer are silent.
     */
    MAP_PORT25_PROBABLY_BLOCKED = 4,
    /**
     * Nothing is reached at all, whatever the port.
     */
    MAP_PORT25_NO_NETWORK = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_port25 map_port25;
#else
typedef int32_t map_port25;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The deadlines of the exchange, for map_config_set_timeout_ms(). Later versions may add some.
 */
enum map_timeout
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Connecting to one address: 15 s.
     */
    MAP_TIMEOUT_CONNECT = 0,
    /**
     * The server's greeting: 300 s.
     */
    MAP_TIMEOUT_GREETING = 1,
    /**
     * The reply to EHLO or HELO: 300 s.
     */
    MAP_TIMEOUT_HELLO = 2,
    /**
     * The reply to MAIL: 300 s.
     */
    MAP_TIMEOUT_MAIL = 3,
    /**
     * The reply to RCPT: 300 s.
     */
    MAP_TIMEOUT_RCPT = 4,
    /**
     * The reply to DATA: 120 s.
     */
    MAP_TIMEOUT_DATA = 5,
    /**
     * The content, without progress: 180 s.
     */
    MAP_TIMEOUT_CONTENT = 6,
    /**
     * The final reply to the content: 600 s. Making it shorter makes RE_UNCERTAIN more frequent.
     */
    MAP_TIMEOUT_FINAL_REPLY = 7,
    /**
     * The reply to QUIT: 2 s.
     */
    MAP_TIMEOUT_QUIT = 8,
    /**
     * From the start to the first octet of content: 300 s. Where a host takes several mail transactions, each of the others
     * has the same from its MAIL on.
     */
    MAP_TIMEOUT_START = 9,
    /**
     * The reply to STARTTLS: 60 s.
     */
    MAP_TIMEOUT_STARTTLS = 10,
    /**
     * The TLS handshake: 15 s.
     */
    MAP_TIMEOUT_TLS = 11,
    /**
     * The reply to AUTH and to each of its steps: 120 s.
     */
    MAP_TIMEOUT_AUTH = 12,
    /**
     * Each 64 KiB of the content, or what is left of it, until the host has taken it: 300 s.
     */
    MAP_TIMEOUT_CONTENT_BLOCK = 13,
    /**
     * All replies of a mail's hosts together, and what contents take beyond 8 KiB a second: 3600 s, and one second more for
     * each recipient. After it no mail transaction begins any more; a content that has begun goes on. Recipients whose
     * domains have the same hosts have it together.
     */
    MAP_TIMEOUT_REPLIES = 14,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_timeout map_timeout;
#else
typedef int32_t map_timeout;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * When a content goes in chunks (BDAT, RFC 3030) to a host that offers it, for map_config_set_chunking(). Later versions may
 * add some.
 */
enum map_chunking
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * For a binary body, and for one of 16 MiB and more. The default.
     */
    MAP_CHUNKING_AUTO = 0,
    /**
     * Only where there is no other way for a binary body.
     */
    MAP_CHUNKING_AVOID = 1,
    /**
     * Always.
     */
    MAP_CHUNKING_PREFER = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_chunking map_chunking;
#else
typedef int32_t map_chunking;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How the connection to a relay is protected, for map_config_set_relay(). Later versions may add some.
 */
enum map_relay_security
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * STARTTLS, the certificate verified, or nothing is sent. Usual at port 587.
     */
    MAP_RELAY_STARTTLS = 1,
    /**
     * TLS from the first octet, the certificate verified. Usual at port 465.
     */
    MAP_RELAY_IMPLICIT_TLS = 2,
    /**
     * STARTTLS where it works, the certificate not verified, and else in the clear. No log-in.
     */
    MAP_RELAY_OPPORTUNISTIC = 3,
    /**
     * In the clear, whatever the relay offers: for one on this machine or on a network that is trusted. No log-in.
     */
    MAP_RELAY_CLEAR = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_relay_security map_relay_security;
#else
typedef int32_t map_relay_security;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a secret is, for map_config_set_relay_login(). Later versions may add some.
 */
enum map_secret_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * A password: SCRAM-SHA-256, PLAIN or LOGIN, the first of these that the relay offers.
     */
    MAP_SECRET_PASSWORD = 1,
    /**
     * An OAuth 2.0 access token: XOAUTH2.
     */
    MAP_SECRET_TOKEN = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_secret_kind map_secret_kind;
#else
typedef int32_t map_secret_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How parts belong together, for map_part_multipart_new(). Later versions may add some.
 */
enum map_multipart
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * In order: a text and its attachments.
     */
    MAP_MULTIPART_MIXED = 1,
    /**
     * The same in several forms, the best last.
     */
    MAP_MULTIPART_ALTERNATIVE = 2,
    /**
     * A first part, and what it refers to: HTML and its pictures.
     */
    MAP_MULTIPART_RELATED = 3,
    /**
     * In no order.
     */
    MAP_MULTIPART_PARALLEL = 4,
    /**
     * Messages, one after the other.
     */
    MAP_MULTIPART_DIGEST = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_multipart map_multipart;
#else
typedef int32_t map_multipart;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a part is made fit for its way, for map_part_set_transfer_encoding(). Later versions may add some.
 */
enum map_transfer_encoding
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The text itself: ASCII, in lines of at most 998 octets.
     */
    MAP_ENCODING_7BIT = 1,
    /**
     * The text itself, in such lines, for a host with 8BITMIME.
     */
    MAP_ENCODING_8BIT = 2,
    /**
     * The data itself, for a host with BINARYMIME and CHUNKING.
     */
    MAP_ENCODING_BINARY = 3,
    /**
     * A text that a person can still read on the wire.
     */
    MAP_ENCODING_QUOTED_PRINTABLE = 4,
    /**
     * Four characters for three octets.
     */
    MAP_ENCODING_BASE64 = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_transfer_encoding map_transfer_encoding;
#else
typedef int32_t map_transfer_encoding;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a reader presents a part, for map_part_set_disposition(). Later versions may add some.
 */
enum map_disposition
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * In its place in the message.
     */
    MAP_DISPOSITION_INLINE = 1,
    /**
     * As a file to open or to store.
     */
    MAP_DISPOSITION_ATTACHMENT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_disposition map_disposition;
#else
typedef int32_t map_disposition;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What becomes of a Bcc in the header of a message that is octets already, for map_message_set_blind_copies(). Later
 * versions may add some.
 */
enum map_blind_copies
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The message is refused: say what you want. The default.
     */
    MAP_BCC_REFUSE = 0,
    /**
     * The field is taken out, and nothing else is changed. Its addresses are recipients all the same.
     */
    MAP_BCC_REMOVE = 1,
    /**
     * It stays, and every recipient sees whom else the message went to.
     */
    MAP_BCC_KEEP = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_blind_copies map_blind_copies;
#else
typedef int32_t map_blind_copies;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much of a message a notification of failure brings back, for map_message_set_ret(). Later versions may add some.
 */
enum map_ret
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * All of it.
     */
    MAP_RET_FULL = 1,
    /**
     * Its header.
     */
    MAP_RET_HEADERS = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum map_ret map_ret;
#else
typedef int32_t map_ret;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Delivers mail by a configuration of its own. Made by map_agent_new(), freed by map_agent_free().
 *
 * Any number of threads may use it at once; freeing it is for one thread, after the others are done with it. A child
 * that fork() or daemon() makes must not use an agent that its parent has sent by: it is answered RE_MISUSE there, and may
 * only free it. One that was made before and not used works in the process that uses it first. (map_send() and its kin
 * work in a child.)
 */
typedef struct map_agent map_agent;

/**
 * How an agent delivers. Made by map_config_new(), freed by map_config_free().
 *
 * A setting is checked when it is made. What was refused is remembered: no agent takes such a configuration, so that no
 * mail goes another way than the program meant, and map_agent_new() and map_configure_default() answer with the first
 * refusal. So a program may look at the reply of every call, or only at the last one. map_config_clear_errors() lets the
 * configuration be used without what was refused.
 *
 * One thread at a time may change it. An agent takes a copy: changing or freeing it later does not matter to the agent.
 */
typedef struct map_config map_config;

/**
 * A domain's private key, to sign messages by DKIM: for map_config_add_dkim_signer() and map_message_sign(). Made by
 * map_dkim_signer_new() or map_dkim_signer_file_new(), freed by map_dkim_signer_free().
 *
 * One thread at a time may change it; any number may read it and sign by it.
 */
typedef struct map_dkim_signer map_dkim_signer;

/**
 * One send that was submitted, to be cancelled and watched. Freed by map_job_free(), also long before or after the send
 * has ended. Any thread may use it at any time, but for map_job_free(). None of its functions waits.
 */
typedef struct map_job map_job;

/**
 * A message: from whom, to whom, about what, with texts, pictures and files. Made by map_message_new() from its pieces, or
 * by map_message_raw_new() and its kin from octets that are a message already. Freed by map_message_free().
 *
 * A piece is checked when it is given. What was refused is remembered: such a message cannot be sent, lest a mail go
 * that lacks something, and the call that was to send it answers with the first refusal. So a program may look at the
 * reply of every call, or only at the last one. map_message_clear_errors() lets the message go without what was refused.
 *
 * One thread at a time may use it. A message can be sent any number of times and is the same each time, its Date and
 * Message-ID too, until it is changed.
 */
typedef struct map_message map_message;

/**
 * A part of a message: a text, data, a whole message, or a number of parts. Made by map_part_text_new() and its kin, freed
 * by map_part_free().
 *
 * One thread at a time may use it. A message takes a copy, so it can be freed at once. As a message does, it remembers
 * what was refused, and no message takes such a part.
 */
typedef struct map_part map_part;

/**
 * How far a send is. It belongs to the library and lasts as long as the call of the function that it was handed to.
 */
typedef struct map_progress map_progress;

/**
 * Sends without blocking, for programs with a loop of their own. map_submit() starts a send and returns at once. When the
 * send has ended, the descriptor of map_queue_fd() becomes readable, and map_queue_dispatch() calls the function that was
 * submitted with it, in the thread that dispatches. Made by map_queue_new(), freed by map_queue_free().
 *
 * Any thread may use it at any time, but for map_queue_free(), which is for one thread, after the others are done with
 * it. A child that fork() makes must make a queue of its own. One of the parent's is dead there: map_submit() returns NULL
 * with RE_MISUSE, map_queue_fd() returns -1, map_queue_dispatch(), map_queue_pending() and map_queue_drain() return 0,
 * and the descriptor, which the child shares with its parent, is left alone.
 */
typedef struct map_queue map_queue;

/**
 * What happened to a mail: a summary, the same for each recipient, every attempt. Freed by map_report_free().
 *
 * It never changes, so any number of threads may read it at once. Every string in it is borrowed until the report is
 * freed.
 */
typedef struct map_report map_report;

/**
 * A MAP client session: takes the commands of the MAP document one by one, and answers as the document does.
 *
 * Made by map_session_new(), freed by map_session_free(). One thread at a time may use it.
 */
typedef struct map_session map_session;

/**
 * Is told how far a send is, in the thread that called: at once, then every MAP_PROGRESS_INTERVAL_MS milliseconds
 * whether that has changed or not, and once more at the end if it has changed since. Returns 0 to go on, anything else
 * to cancel the send, at any time and while a host is silent too. The send then ends at once, and the function is not
 * called again: see RE_CANCELLED and RE_UNCERTAIN. It must not leave by longjmp() or an exception.
 */
typedef int32_t (*map_progress_fn)(const map_progress *progress, void *user_data);

/**
 * Begins a stream: a pointer of yours that is handed to the other functions, or NULL if it cannot be begun. See
 * map_part_reader_new().
 */
typedef void *(*map_open_fn)(void *user_data);

/**
 * Puts at most size octets into the buffer and returns how many; 0 at the end; a negative number if reading failed, and
 * then the mail is not sent.
 */
typedef ptrdiff_t (*map_read_fn)(void *stream, void *buffer, size_t size);

/**
 * Ends a stream.
 */
typedef void (*map_close_fn)(void *stream);

/**
 * Releases what a pointer of yours stands for. May be called in a thread of the library that other mails wait for: it must
 * not wait, and not send by the same agent.
 */
typedef void (*map_release_fn)(void *user_data);

/**
 * Takes the next octets of a message, for map_message_write(): returns 0 to go on, anything else to stop.
 */
typedef int32_t (*map_write_fn)(const char *data, size_t length, void *user_data);

/**
 * Tells a loop that map_queue_dispatch() has something to do. It may only post an event to the loop: it must neither
 * call the library, nor wait, nor leave by longjmp() or an exception.
 */
typedef void (*map_wakeup_fn)(void *user_data);

/**
 * Is told how a send ended, by map_queue_dispatch() or map_queue_drain(), in their thread. The report is yours: free it
 * with map_report_free(). map_last_reply() and map_last_advice() say the same as the report here. The function may
 * call everything, submit and dispatch included, and may free every handle: the queue that is being dispatched, too. It
 * must not leave by longjmp() or an exception.
 */
typedef void (*map_done_fn)(map_reply reply, map_report *report, void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Sends one e-mail to the recipient's own mail server and waits for the reply.
 *
 * The four strings are UTF-8 and NUL-terminated. NULL is an empty field. Nothing is sent unless all four are in order.
 * Any number of threads may call it at once. It can take minutes: see map_config_set_deadline_ms().
 *
 * @param from    the sender's address: "cxw@apple.com".
 * @param to      the recipient's address.
 * @param subject one line.
 * @param content plain text, with any line ends.
 * @return RE_SUCCESS when the recipient's server, or the relay of map_config_set_relay(), has accepted the mail. Else
 *         why not; map_last_reply() prints the reply with what it carries, map_last_advice() says what to do.
 */
MAP_API
map_reply map_send(const char *from,
                   const char *to,
                   const char *subject,
                   const char *content);

/**
 * As map_send(), with the report of what happened.
 *
 * @param from    the sender's address.
 * @param to      the recipient's address.
 * @param subject one line.
 * @param content plain text.
 * @param report  always written, whatever the reply is; free it with map_report_free(). It becomes NULL when there is no
 *                report, which happens only with RE_INTERNAL and RE_MISUSE. May be NULL: no report is wanted.
 * @return as map_send().
 */
MAP_API
map_reply map_send_report(const char *from,
                          const char *to,
                          const char *subject,
                          const char *content,
                          map_report **report);

/**
 * As map_send_report(), with the length of each string in octets, for strings that are not NUL-terminated.
 *
 * A NUL inside a string is RE_INVALID_FORMAT: no e-mail can carry it. A string may be NULL if its length is 0.
 *
 * @param from           the sender's address.
 * @param from_length    its length.
 * @param to             the recipient's address.
 * @param to_length      its length.
 * @param subject        one line.
 * @param subject_length its length.
 * @param content        plain text.
 * @param content_length its length.
 * @param report         as for map_send_report().
 * @return as map_send(), and RE_MISUSE for a length that no object in memory can have.
 */
MAP_API
map_reply map_send_report_n(const char *from,
                            size_t from_length,
                            const char *to,
                            size_t to_length,
                            const char *subject,
                            size_t subject_length,
                            const char *content,
                            size_t content_length,
                            map_report **report);

/**
 * As map_agent_send(), with a function of yours that is told how far it is, and may cancel it.
 *
 * @param agent     NULL: as map_send_report() does.
 * @param from      the sender's address.
 * @param to        the recipient's address.
 * @param subject   one line.
 * @param content   plain text.
 * @param progress  required.
 * @param user_data handed to it.
 * @param report    as for map_send_report().
 * @return as map_send().
 */
MAP_API
map_reply map_send_with_progress(const map_agent *agent,
                                 const char *from,
                                 const char *to,
                                 const char *subject,
                                 const char *content,
                                 map_progress_fn progress,
                                 void *user_data,
                                 map_report **report);

/**
 * As map_send_with_progress(), with the length of each string in octets, as map_send_report_n() takes them.
 *
 * @param agent          NULL: as map_send_report_n() does.
 * @param from           the sender's address.
 * @param from_length    its length in octets.
 * @param to             the recipient's address.
 * @param to_length      its length.
 * @param subject        one line.
 * @param subject_length its length.
 * @param content        plain text.
 * @param content_length its length.
 * @param progress       required.
 * @param user_data      handed to it.
 * @param report         as for map_send_report().
 * @return as map_send_report_n().
 */
MAP_API
map_reply map_send_with_progress_n(const map_agent *agent,
                                   const char *from,
                                   size_t from_length,
                                   const char *to,
                                   size_t to_length,
                                   const char *subject,
                                   size_t subject_length,
                                   const char *content,
                                   size_t content_length,
                                   map_progress_fn progress,
                                   void *user_data,
                                   map_report **report);

/**
 * Sets how map_send(), map_send_report() and map_send_report_n() deliver from now on, in all threads. Calls under way
 * keep what they began with.
 *
 * @param config required; copied. What was refused of it is refused here.
 * @return RE_SUCCESS, or why not, and nothing is changed.
 */
MAP_API
map_reply map_configure_default(const map_config *config);

/**
 * This thread's last reply as MAP prints it, with what it carries: "RE_BADREPLY: <554>."
 *
 * Set by every function that returns a map_reply and by every function named ..._new.
 *
 * @return never NULL; empty if there was no call yet. Borrowed until this thread ends, or has made sixteen more calls
 *         that set it: so it may stand beside such a call among the arguments of one printf().
 */
MAP_API
const char *map_last_reply(void);

/**
 * A sentence for a person about this thread's last reply: what happened, and what to do next. English, UTF-8.
 *
 * Set together with map_last_reply().
 *
 * @return never NULL; empty if there is nothing to say. Borrowed as map_last_reply() is.
 */
MAP_API const char *map_last_advice(void);

/**
 * The name of a reply: "RE_SUCCESS".
 *
 * @param reply any number, so that a value from a newer library can be passed, too.
 * @return a static string; never NULL, "RE_UNKNOWN" for a number that is no reply.
 */
MAP_API const char *map_reply_name(int32_t reply);

/**
 * What a reply means, in a sentence for a person. map_last_advice() and map_report_advice() say more, because they know the
 * case.
 *
 * @param reply any number, so that a value from a newer library can be passed, too.
 * @return a static string; never NULL, also for a number that is no reply.
 */
MAP_API
const char *map_reply_text(int32_t reply);

/**
 * May the same mail succeed if it is sent again later, unchanged? This is what the number alone can tell.
 *
 * RE_DNS_FAIL, RE_SERVER_UNREACH, RE_BADREPLY, RE_SERVICE_DENIED and RE_LOCAL have temporary and lasting causes, so the
 * answer for them is MAP_UNKNOWN: ask map_report_is_transient(). For RE_UNCERTAIN and RE_PARTIAL it is MAP_NO, because
 * sending again may deliver twice; for RE_PORT_BLOCKED it is MAP_NO, because somebody has to open the port first.
 *
 * @param reply any number.
 * @return MAP_NO or MAP_UNKNOWN; MAP_UNKNOWN for a number that is no reply. No reply is always worth a repeat, so
 *         MAP_YES does not occur today: compare with MAP_NO before giving up.
 */
MAP_API
map_answer map_reply_is_transient(int32_t reply);

/**
 * Makes a configuration with the defaults: the system's resolver, port 25, the deadlines of RFC 5321, no loopback.
 *
 * @return free with map_config_free(); NULL only with RE_INTERNAL in map_last_reply().
 */
MAP_API
map_config *map_config_new(void);

/**
 * Frees a configuration.
 *
 * @param config may be NULL: nothing happens.
 */
MAP_API void map_config_free(map_config *config);

/**
 * Forgets what was refused so far, so that the configuration can be used without it.
 *
 * @param config required.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_config_clear_errors(map_config *config);

/**
 * Asks these DNS servers instead of the system's.
 *
 * @param config  required.
 * @param servers IP addresses with or without a port, separated by commas or blanks: "127.0.0.1:5300, [::1]:53". An
 *                empty string goes back to the system's resolver.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_dns_servers(map_config *config,
                                     const char *servers);

/**
 * Connects to this port of the mail hosts instead of port 25: for tests, and for the sandbox.
 *
 * @param config required.
 * @param port   1 to 65535.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API map_reply map_config_set_smtp_port(map_config *config, int32_t port);

/**
 * Introduces itself to mail hosts by this name (the argument of EHLO).
 *
 * @param config required.
 * @param name   a domain name ("mail.example.org") or an address literal ("[192.0.2.1]"); an empty string goes back to
 *               the machine's own name. Large receivers want a name whose address is the one you send from.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_hello_name(map_config *config,
                                    const char *name);

/**
 * Sets how long one send may take in all, DNS included. Without it only the deadlines of map_config_set_timeout_ms()
 * hold, and a slow server can keep a send for many minutes.
 *
 * @param config       required.
 * @param milliseconds at most a year; 0 for no deadline in all.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_deadline_ms(map_config *config,
                                     uint64_t milliseconds);

/**
 * Sets one deadline of the exchange.
 *
 * @param config       required.
 * @param which        one of enum map_timeout.
 * @param milliseconds 1 to a year.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API map_reply map_config_set_timeout_ms(map_config *config, int32_t which, uint64_t milliseconds);

/**
 * Allows mail hosts on this machine, by loopback addresses or by those of its interfaces: for tests, for the sandbox, and
 * for programs on the recipient's own mail server. Refused by default, because a program that mails wherever a stranger's
 * DNS points must not be steered into services that trust the machine itself.
 *
 * @param config required.
 * @param allow  0 for no, anything else for yes.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_config_set_allow_loopback(map_config *config,
                                        int32_t allow);

/**
 * Refuses mail hosts in private address ranges, too.
 *
 * @param config      required.
 * @param public_only 0 for no (the default), anything else for yes.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_config_set_public_only(map_config *config, int32_t public_only);

/**
 * Takes a domain without an MX record for one that receives no mail: the letter of MAP 3.5. By default its own address
 * is tried, as RFC 5321 section 5.1 says.
 *
 * @param config  required.
 * @param require 0 for no (the default), anything else for yes.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_config_set_require_mx(map_config *config,
                                    int32_t require);

/**
 * Signs by DKIM what is sent from the signer's domain, or from one below it, by the domain of From. Called again, each
 * signer signs: one with RSA, which every verifier knows, and one with Ed25519.
 *
 * @param config required.
 * @param signer required; copied, and yours to free.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_add_dkim_signer(map_config *config,
                                     const map_dkim_signer *signer);

/**
 * Sets when a content goes in chunks and not by DATA.
 *
 * @param config required.
 * @param which  one of enum map_chunking.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API map_reply map_config_set_chunking(map_config *config, int32_t which);

/**
 * Connects from these addresses of this machine, where it has several and mail should leave by the one that has a
 * reverse name or is listed for the domain. Not for the DNS.
 *
 * Whether the machine has an address is seen when a connection is made, and the attempt in the report says so.
 *
 * @param config    required.
 * @param addresses an IPv4 address, an IPv6 address, or one of each, separated by commas or blanks:
 *                  "192.0.2.1, 2001:db8::1". A family without one keeps the system's choice, and so do both with an
 *                  empty string.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_source_address(map_config *config,
                                        const char *addresses);

/**
 * Connects to mail hosts through a SOCKS5 proxy. It is not used for the DNS, and no probe host is asked about port 25, since
 * the way is not this machine's.
 *
 * @param config required.
 * @param url    "socks5://user:password@host:port": addresses of mail hosts are looked up here; "socks5h://...": by the
 *               proxy, whose rules alone keep mail away from addresses that it must not be sent to. User and password,
 *               and the port (1080), may be left out; % and two hexadecimal digits stand for an octet of user or
 *               password, which is in no output. An empty string: no proxy.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_proxy(map_config *config,
                               const char *url);

/**
 * Asks probe hosts whether outgoing port 25 is blocked, when no mail host could be connected to: mail and web hosts of large
 * providers, which get no mail. Without it a blocked port is RE_SERVER_UNREACH and never RE_PORT_BLOCKED.
 *
 * @param config required.
 * @param on     0 for no, anything else for yes (the default).
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_config_set_port25_check(map_config *config,
                                      int32_t on);

/**
 * Asks these probe hosts instead.
 *
 * @param config required.
 * @param mail   mail hosts, which must greet: names or IP addresses, with ":port" if it is not 25, separated by commas
 *               or blanks.
 * @param web    web hosts, which must accept a connection; the port is 443 if none is said. Two empty strings go back to
 *               hosts of large providers.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_port25_probe_hosts(map_config *config,
                                            const char *mail,
                                            const char *web);

/**
 * Trusts these keys of the DNS root for DNSSEC instead of those that are built in: for tests, and for a private root.
 *
 * @param config  required.
 * @param records one or more DNSKEY records in the form of a zone file, as "dig . DNSKEY" prints them.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_dns_trust_anchor(map_config *config,
                                          const char *records);

/**
 * Fetches MTA-STS policies at this port instead of port 443: for tests, and for the sandbox.
 *
 * @param config required.
 * @param port   1 to 65535.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API map_reply map_config_set_https_port(map_config *config, int32_t port);

/**
 * Sends only over TLS, and only to a mail host that has proved who it is: by DANE where its zone has TLSA records, else
 * by a certificate for the name of the MX record from an authority that is trusted. By default TLS is used where it is
 * offered, and the certificate is verified only where DANE or MTA-STS asks for it.
 *
 * Many hosts of the Internet have a certificate for another name: much mail cannot be delivered with it, and is
 * RE_SERVER_UNREACH. A relay's own security counts instead.
 *
 * @param config  required.
 * @param require 0 for no (the default), anything else for yes.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_config_set_require_tls(map_config *config,
                                     int32_t require);

/**
 * Verifies mail hosts by DANE (RFC 7672), the signed records of their zones.
 *
 * @param config required.
 * @param on     0 for no, anything else for yes (the default).
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_config_set_dane(map_config *config, int32_t on);

/**
 * Follows the MTA-STS policies (RFC 8461) of recipients' domains.
 *
 * @param config required.
 * @param on     0 for no, anything else for yes (the default).
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_config_set_mta_sts(map_config *config, int32_t on);

/**
 * Trusts these certificate authorities, too: for relays, MTA-STS and map_config_set_require_tls(). Each call adds some.
 *
 * @param config required.
 * @param pem    the text of one or more certificates in PEM, not the name of a file.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_add_tls_roots(map_config *config,
                                   const char *pem);

/**
 * Trusts the certificate authorities of the platform, too. Where it has none to offer, those that Mozilla trusts stand in.
 *
 * @param config required.
 * @param trust  0 for no, anything else for yes (the default).
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_config_set_platform_roots(map_config *config,
                                        int32_t trust);

/**
 * Hands all mail to this relay (a smarthost) instead of the recipients' own mail hosts, without a log-in.
 *
 * What it accepts is RE_SUCCESS, and map_report_is_relayed() tells that it is not with the recipient's server yet. No MX
 * record is looked up; port 25 and the rules about mail hosts (loopback, private ranges) do not count, and neither do DANE
 * and MTA-STS. A name is looked up as the operating system does for any program (hosts file, search domains), or by the
 * servers of map_config_set_dns_servers().
 *
 * @param config   required.
 * @param host     its domain name or IP address; an empty string goes back to the recipients' own mail hosts.
 * @param port     1 to 65535. Not looked at if the host is empty.
 * @param security one of enum map_relay_security. Not looked at if the host is empty.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_relay(map_config *config,
                               const char *host,
                               int32_t port,
                               int32_t security);

/**
 * Logs in to the relay by AUTH, with the strongest mechanism that it offers and the kind of secret allows. If it offers
 * none, or refuses, nothing is sent.
 *
 * Called after map_config_set_relay(), which forgets the log-in of the relay before. A secret goes only over a session
 * whose peer has proved who it is: the relay's security must be MAP_RELAY_STARTTLS or MAP_RELAY_IMPLICIT_TLS. It is in no
 * report, transcript or message. The library overwrites its own copies when they are freed; yours are yours to overwrite.
 *
 * @param config required.
 * @param user   the user name.
 * @param secret the password or the token.
 * @param kind   one of enum map_secret_kind.
 * @return RE_SUCCESS, or RE_MISUSE and nothing is changed.
 */
MAP_API
map_reply map_config_set_relay_login(map_config *config,
                                     const char *user,
                                     const char *secret,
                                     int32_t kind);

/**
 * Makes an agent. It starts no thread and opens nothing before its first send.
 *
 * @param config required; copied. What was refused of it is refused here.
 * @return free with map_agent_free(); NULL with the reason in map_last_reply().
 */
MAP_API map_agent *map_agent_new(const map_config *config);

/**
 * Frees an agent.
 *
 * @param agent may be NULL: nothing happens.
 */
MAP_API void map_agent_free(map_agent *agent);

/**
 * As map_send_report(), by this agent.
 *
 * @param agent   required.
 * @param from    the sender's address.
 * @param to      the recipient's address.
 * @param subject one line.
 * @param content plain text.
 * @param report  as for map_send_report().
 * @return as map_send().
 */
MAP_API
map_reply map_agent_send(const map_agent *agent,
                         const char *from,
                         const char *to,
                         const char *subject,
                         const char *content,
                         map_report **report);

/**
 * As map_send_report_n(), by this agent.
 *
 * @param agent          required.
 * @param from           the sender's address.
 * @param from_length    its length in octets.
 * @param to             the recipient's address.
 * @param to_length      its length.
 * @param subject        one line.
 * @param subject_length its length.
 * @param content        plain text.
 * @param content_length its length.
 * @param report         as for map_send_report().
 * @return as map_send_report_n().
 */
MAP_API
map_reply map_agent_send_n(const map_agent *agent,
                           const char *from,
                           size_t from_length,
                           const char *to,
                           size_t to_length,
                           const char *subject,
                           size_t subject_length,
                           const char *content,
                           size_t content_length,
                           map_report **report);

/**
 * Begins a message that says nothing yet.
 *
 * @return free with map_message_free(); NULL only with RE_INTERNAL in map_last_reply().
 */
MAP_API map_message *map_message_new(void);

/**
 * Frees a message.
 *
 * @param message may be NULL: nothing happens.
 */
MAP_API void map_message_free(map_message *message);

/**
 * Forgets what was refused so far, so that the message can be sent without it.
 *
 * @param message required.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_message_clear_errors(map_message *message);

/**
 * Makes a part of a plain text.
 *
 * @param text   UTF-8 without a NUL; may be NULL if the length is 0.
 * @param length its length in octets.
 * @return free with map_part_free(); NULL with the reason in map_last_reply().
 */
MAP_API map_part *map_part_text_new(const char *text, size_t length);

/**
 * Makes a part of a text in HTML.
 *
 * @param html   UTF-8 without a NUL; may be NULL if the length is 0.
 * @param length its length in octets.
 * @return as map_part_text_new().
 */
MAP_API map_part *map_part_html_new(const char *html, size_t length);

/**
 * Makes a part of data in memory.
 *
 * @param data   any octets, which are copied; may be NULL if the length is 0.
 * @param length how many.
 * @return as map_part_text_new().
 */
MAP_API map_part *map_part_octets_new(const char *data, size_t length);

/**
 * Makes a part of a file, as map_message_attach_file() does.
 *
 * @param path of a regular file, as the system's calls take it.
 * @return as map_part_text_new().
 */
MAP_API map_part *map_part_file_new(const char *path);

/**
 * Makes a part of data that functions of yours give while it is sent.
 *
 * The functions are called in threads of the library, from several at once for streams of their own; and, while a message
 * is built, written, signed or made a part, in the thread that does so. They must not use a message or a part that they
 * give data for, not even to ask for its size. They may wait, which holds up this message only, but for release; one that
 * gives nothing for as long as map_config_set_timeout_ms() allows a content ends its delivery.
 *
 * @param octets    how many octets a stream gives, exactly, so that the size of the message is known before it is sent; or
 *                  MAP_SIZE_UNKNOWN.
 * @param open      required; begins a stream, each time that the message is sent: to each host that is tried, again for
 *                  each hundred of its recipients, and to be signed. Each gives the same octets.
 * @param read      required; reads from one.
 * @param close     ends one, however far it was read; may be NULL.
 * @param user_data handed to open and to release.
 * @param release   called once, when nothing will ask for user_data any more: after the last free of the part, of every
 *                  message that has it, and of every send. It may be a thread of the library that other mails wait
 *                  for: release must not wait, and not send by the same agent. May be NULL. Called also if this
 *                  function returns NULL.
 * @return as map_part_text_new().
 */
MAP_API
map_part *map_part_reader_new(uint64_t octets,
                              map_open_fn open,
                              map_read_fn read,
                              map_close_fn close,
                              void *user_data,
                              map_release_fn release);

/**
 * Makes a part of a whole message: to forward it as it is, or for a digest.
 *
 * @param message required; put together now, as map_message_build() does. Yours to free.
 * @return as map_part_text_new().
 */
MAP_API map_part *map_part_message_new(map_message *message);

/**
 * Makes a part of parts, without any yet: see map_part_add(). Parts and messages may be nested 50 deep.
 *
 * @param kind one of enum map_multipart.
 * @return as map_part_text_new().
 */
MAP_API map_part *map_part_multipart_new(int32_t kind);

/**
 * Frees a part.
 *
 * @param part may be NULL: nothing happens.
 */
MAP_API void map_part_free(map_part *part);

/**
 * Adds a part to a part of parts.
 *
 * @param multipart required; made by map_part_multipart_new().
 * @param part      required; copied, and yours to free.
 * @return RE_SUCCESS, or why not.
 */
MAP_API map_reply map_part_add(map_part *multipart, const map_part *part);

/**
 * Says what a text or data is. For data it is else told by the file's name. Data of a type text/... in memory or in a
 * file gets charset=utf-8 if it is UTF-8 and not ASCII; for another one, and for a reader, say it here.
 *
 * @param part       required.
 * @param media_type with parameters, if it has any: "text/calendar; method=REQUEST".
 * @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
 */
MAP_API
map_reply map_part_set_media_type(map_part *part,
                                  const char *media_type);

/**
 * Fixes how a part is encoded. MAP_ENCODING_8BIT and MAP_ENCODING_BINARY are wishes: for a host that does not offer what
 * they need, the part is encoded all the same.
 *
 * @param part     required.
 * @param encoding one of enum map_transfer_encoding.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_part_set_transfer_encoding(map_part *part,
                                         int32_t encoding);

/**
 * Says how a reader should present a part.
 *
 * @param part        required.
 * @param disposition one of enum map_disposition.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_part_set_disposition(map_part *part, int32_t disposition);

/**
 * Names a part, in any language.
 *
 * @param part      required.
 * @param file_name one line.
 * @return as map_part_set_media_type().
 */
MAP_API map_reply map_part_set_file_name(map_part *part, const char *file_name);

/**
 * Gives a part the identifier by which HTML names it: <img src="cid:logo@example.com">.
 *
 * @param part       required.
 * @param content_id "logo@example.com", unique in the message. One without @ is taken with a warning: see
 *                   map_message_warning().
 * @return as map_part_set_media_type().
 */
MAP_API map_reply map_part_set_content_id(map_part *part, const char *content_id);

/**
 * Describes a part in words.
 *
 * @param part        required.
 * @param description one line.
 * @return as map_part_set_media_type().
 */
MAP_API map_reply map_part_set_description(map_part *part, const char *description);

/**
 * Adds to From: who has written it. Several need a map_message_set_sender().
 *
 * @param message   required.
 * @param addresses as a person writes them: "Anna <anna@example.com>, bob@example.com", names in any language. A name with
 *                  a comma in it needs quotation marks: "\"Doe, John\" <john@example.com>".
 * @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
 */
MAP_API
map_reply map_message_add_from(map_message *message,
                               const char *addresses);

/**
 * Sets Sender: who sends it for those who have written it.
 *
 * @param message required.
 * @param address one address.
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_set_sender(map_message *message, const char *address);

/**
 * Adds to Reply-To: whom to answer.
 *
 * @param message   required.
 * @param addresses as for map_message_add_from().
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_add_reply_to(map_message *message, const char *addresses);

/**
 * Adds to To: whom it is for.
 *
 * @param message   required.
 * @param addresses as for map_message_add_from(); groups, too: "Team: anna@example.com, bob@example.com;"
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_add_to(map_message *message, const char *addresses);

/**
 * Adds to Cc: who gets a copy.
 *
 * @param message   required.
 * @param addresses as for map_message_add_to().
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_add_cc(map_message *message, const char *addresses);

/**
 * Adds those who get a copy without the others' knowing. They are not named in the message.
 *
 * @param message   required.
 * @param addresses as for map_message_add_to().
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_add_bcc(map_message *message, const char *addresses);

/**
 * Sets whom the mail hosts tell when they cannot deliver it (the address in MAIL FROM). Without it: the sender.
 *
 * @param message required; made by map_message_new().
 * @param mailbox an address without a name.
 * @return as map_message_add_from().
 */
MAP_API
map_reply map_message_set_envelope_from(map_message *message,
                                        const char *mailbox);

/**
 * Sets the subject, in any language.
 *
 * @param message required.
 * @param subject one line.
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_set_subject(map_message *message, const char *subject);

/**
 * Sets Date: when it was written. Without it: when it is first sent, built or written.
 *
 * @param message        required.
 * @param seconds        since 1970-01-01 00:00 UTC, as time() counts them.
 * @param offset_minutes of the zone it was written in, east of Greenwich: 60 is +0100.
 * @return RE_SUCCESS, or RE_MISUSE for a date that no message can carry.
 */
MAP_API map_reply map_message_set_date(map_message *message, int64_t seconds, int32_t offset_minutes);

/**
 * Sets Message-ID. Without it one is made.
 *
 * @param message required.
 * @param id      "<report.17@example.com>", with or without the angle brackets.
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_set_message_id(map_message *message, const char *id);

/**
 * Adds to In-Reply-To: the Message-ID of what it answers.
 *
 * @param message required.
 * @param ids     one or more: "<1@example.com> <2@example.com>". Between angle brackets may stand whatever another program
 *                has made: printable ASCII without blanks travels as it is. Around one with an @ they may be left away.
 * @return as map_message_add_from().
 */
MAP_API
map_reply map_message_add_in_reply_to(map_message *message,
                                      const char *ids);

/**
 * Adds to References: the thread it belongs to, which are the references of what it answers and that one's Message-ID
 * last.
 *
 * @param message required.
 * @param ids     one or more: "<1@example.com> <2@example.com>". Between angle brackets may stand whatever another program
 *                has made: printable ASCII without blanks travels as it is. Around one with an @ they may be left away.
 * @return as map_message_add_from().
 */
MAP_API
map_reply map_message_add_references(map_message *message,
                                     const char *ids);

/**
 * Adds a Comments field: a remark about the message.
 *
 * @param message  required.
 * @param comments one line.
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_add_comments(map_message *message, const char *comments);

/**
 * Adds to Keywords: words to find the message by.
 *
 * @param message  required.
 * @param keywords separated by commas.
 * @return as map_message_add_from().
 */
MAP_API map_reply map_message_add_keywords(map_message *message, const char *keywords);

/**
 * Adds a header field of your own, such as List-Unsubscribe or X-Mailer.
 *
 * ASCII goes as it is, folded at blanks. Beyond ASCII words are encoded, and of a field with a grammar of its own, such as
 * List-Id, only names and comments. What is encoded already is not encoded again.
 *
 * @param message required.
 * @param name    one that the message does not write itself: not To, not Content-Type.
 * @param value   one line.
 * @return as map_message_add_from().
 */
MAP_API
map_reply map_message_add_field(map_message *message,
                                const char *name,
                                const char *value);

/**
 * Sends the message once more in somebody's name: a set of Resent- fields stands before its header, and it goes to those
 * who are named here and to nobody else. Called again, it goes on from there.
 *
 * @param message required; of either kind.
 * @param from    who resends it: addresses as for map_message_add_from().
 * @param sender  who does it for them, one address; required when they are several, else NULL.
 * @param to      to whom; NULL: nobody in To.
 * @param cc      who gets a copy, or NULL.
 * @param bcc     who gets a copy that the others do not know of, or NULL.
 * @return as map_message_add_from().
 */
MAP_API
map_reply map_message_add_resent(map_message *message,
                                 const char *from,
                                 const char *sender,
                                 const char *to,
                                 const char *cc,
                                 const char *bcc);

/**
 * Sets the plain text.
 *
 * @param message required.
 * @param text    UTF-8, with any line ends.
 * @return RE_SUCCESS; RE_INVALID_FORMAT for what is not UTF-8; RE_MISUSE.
 */
MAP_API map_reply map_message_set_text(map_message *message, const char *text);

/**
 * As map_message_set_text(), with the length of the text in octets.
 *
 * @param message required.
 * @param text    UTF-8 without a NUL; may be NULL if the length is 0.
 * @param length  its length.
 * @return as map_message_set_text().
 */
MAP_API map_reply map_message_set_text_n(map_message *message, const char *text, size_t length);

/**
 * Sets the same in HTML. With a plain text beside it a reader shows what it can.
 *
 * @param message required.
 * @param html    UTF-8. What it shows is given with map_message_add_inline(): <img src="cid:logo@example.com">.
 * @return as map_message_set_text().
 */
MAP_API
map_reply map_message_set_html(map_message *message,
                               const char *html);

/**
 * As map_message_set_html(), with the length of the HTML in octets.
 *
 * @param message required.
 * @param html    UTF-8 without a NUL; may be NULL if the length is 0.
 * @param length  its length.
 * @return as map_message_set_text().
 */
MAP_API map_reply map_message_set_html_n(map_message *message, const char *html, size_t length);

/**
 * Attaches a file. It is opened for each host that is tried and read while it is sent, so it can be of any size; one that
 * has become another length by then is not sent. It has its name of now, and the media type that the name tells; for
 * others make a part.
 *
 * @param message required.
 * @param path    of a regular file, as the system's calls take it.
 * @return RE_SUCCESS; RE_LOCAL if there is no such file, or it is not a regular one; RE_MISUSE.
 */
MAP_API
map_reply map_message_attach_file(map_message *message,
                                  const char *path);

/**
 * Attaches data in memory.
 *
 * @param message   required.
 * @param data      any octets, which are copied; may be NULL if the length is 0.
 * @param length    how many.
 * @param file_name in any language. It tells the media type.
 * @return RE_SUCCESS; RE_INVALID_FORMAT for a name that no mail can carry; RE_MISUSE.
 */
MAP_API
map_reply map_message_attach_octets(map_message *message,
                                    const char *data,
                                    size_t length,
                                    const char *file_name);

/**
 * Attaches a part.
 *
 * @param message required.
 * @param part    required; copied, and yours to free. What was refused of it is refused here.
 * @return RE_SUCCESS, or why not.
 */
MAP_API map_reply map_message_attach(map_message *message, const map_part *part);

/**
 * Adds what the HTML shows, such as a picture. It needs a map_part_set_content_id() by which the HTML names it.
 *
 * @param message required.
 * @param part    required; copied, and yours to free.
 * @return RE_SUCCESS, or why not.
 */
MAP_API
map_reply map_message_add_inline(map_message *message,
                                 const map_part *part);

/**
 * Sets a body of your own making, in place of text and HTML: a part with parts in it, for one.
 *
 * @param message required.
 * @param part    required; copied, and yours to free.
 * @return RE_SUCCESS, or why not.
 */
MAP_API map_reply map_message_set_body(map_message *message, const map_part *part);

/**
 * Sets what bodies may go as they are where a host takes it: with MAP_BODY_8BIT texts, with MAP_BODY_BINARY data, too. For
 * any other host they are encoded all the same. Without it every body is encoded to 7 bits.
 *
 * @param message   required; made by map_message_new().
 * @param body_type one of enum map_body_type.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_message_set_body_type(map_message *message,
                                    int32_t body_type);

/**
 * Takes a message that is in memory: RFC 5322, lines ended by CRLF. It travels unchanged, so that a signature on it stays
 * good. What no host can carry is said when it is built or sent.
 *
 * @param data   copied.
 * @param length its length in octets.
 * @return free with map_message_free(); NULL with the reason in map_last_reply().
 */
MAP_API
map_message *map_message_raw_new(const char *data,
                                 size_t length);

/**
 * Takes a message that is in a file, which is read while it is sent.
 *
 * @param path of a regular file, as the system's calls take it.
 * @return as map_message_raw_new().
 */
MAP_API map_message *map_message_raw_file_new(const char *path);

/**
 * Takes a message that functions of yours give, once to look it through and each time that it is sent. For them holds
 * what map_part_reader_new() says: they must not use the message.
 *
 * @param open      as for map_part_reader_new().
 * @param read      as for map_part_reader_new().
 * @param close     as for map_part_reader_new().
 * @param user_data as for map_part_reader_new().
 * @param release   as for map_part_reader_new().
 * @return as map_message_raw_new().
 */
MAP_API
map_message *map_message_raw_reader_new(map_open_fn open,
                                        map_read_fn read,
                                        map_close_fn close,
                                        void *user_data,
                                        map_release_fn release);

/**
 * Sets whom octets are from and to, whatever their header says.
 *
 * Without it the header says it: Sender or the only one in From, and all in To, Cc and Bcc.
 *
 * @param message    required; made by map_message_raw_new() or its kin.
 * @param from       an address without a name.
 * @param recipients addresses; their names do not matter.
 * @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
 */
MAP_API map_reply map_message_set_envelope(map_message *message, const char *from, const char *recipients);

/**
 * Sets what becomes of a Bcc in the header of octets.
 *
 * @param message required; made by map_message_raw_new() or its kin.
 * @param which   one of enum map_blind_copies.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_message_set_blind_copies(map_message *message, int32_t which);

/**
 * Takes an LF alone in octets for a line end and sends it as CRLF: for a file that was written on Unix. Signatures by
 * S/MIME, PGP and DKIM stay good.
 *
 * @param message required; made by map_message_raw_new() or its kin.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_message_set_unix_line_ends(map_message *message);

/**
 * Refuses octets for what would else be a warning: see map_message_warning().
 *
 * @param message required; made by map_message_raw_new() or its kin.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_message_set_strict(map_message *message);

/**
 * Sends it from nobody (MAIL FROM:<>), so that nobody is told when it cannot be delivered: for notifications and automatic
 * answers, which must never be answered by another.
 *
 * @param message required.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_message_set_null_reverse_path(map_message *message);

/**
 * Asks the hosts for notifications, which come by mail to the envelope's sender. A host that does not offer them is given
 * the message all the same, and the report warns of it.
 *
 * @param message required.
 * @param notify  "NEVER", or one to three of "SUCCESS,FAILURE,DELAY".
 * @return RE_SUCCESS; RE_INVALID_FORMAT for another word; RE_MISUSE.
 */
MAP_API
map_reply map_message_set_notify(map_message *message,
                                 const char *notify);

/**
 * Says which address the sender wrote for a recipient, where a list or an alias made another of it. It comes back in
 * notifications.
 *
 * @param message   required.
 * @param recipient an address that the message goes to.
 * @param original  the type of the address and the address: "rfc822;list@example.com".
 * @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
 */
MAP_API
map_reply map_message_add_original_recipient(map_message *message,
                                             const char *recipient,
                                             const char *original);

/**
 * Says how much of the message a notification of failure brings back.
 *
 * @param message required.
 * @param ret     one of enum map_ret.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_message_set_ret(map_message *message, int32_t ret);

/**
 * Names the message for notifications.
 *
 * @param message required.
 * @param id      printable ASCII.
 * @return RE_SUCCESS; RE_INVALID_FORMAT, and map_last_advice() says what is wrong; RE_MISUSE.
 */
MAP_API map_reply map_message_set_envelope_id(map_message *message, const char *id);

/**
 * Demands verified TLS on the whole way to each recipient (REQUIRETLS, RFC 8689). Where a host does not offer that, the
 * message is not delivered; few hosts do. map_config_set_require_tls() is about the next host only.
 *
 * @param message required.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_message_set_require_tls(map_message *message);

/**
 * Signs the message by DKIM when it is put together. Called again, each signer signs it.
 *
 * @param message required.
 * @param signer  required; copied, and yours to free.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API map_reply map_message_sign(map_message *message, const map_dkim_signer *signer);

/**
 * Puts a message together, and says what is missing or does not fit together. Sending and writing it do it as well.
 *
 * @param message required.
 * @return RE_SUCCESS; RE_NO_EMPTY if nobody is named that it is from or to; RE_INVALID_FORMAT if no host can carry it; the
 *         first refusal of a piece; RE_MISUSE if it does not fit together; RE_LOCAL if it cannot be read.
 *         map_last_advice() says more.
 */
MAP_API
map_reply map_message_build(map_message *message);

/**
 * How many recipients it has: those in To, Cc and Bcc, each once.
 *
 * @param message NULL has none, and neither has one that is not built.
 */
MAP_API size_t map_message_recipient_count(const map_message *message);

/**
 * The address of a recipient, in the order in which they were given.
 *
 * @param message   that was built, sent or written.
 * @param recipient 0 to map_message_recipient_count() - 1.
 * @return NULL if there is no such recipient. Borrowed until the message is changed or freed.
 */
MAP_API const char *map_message_recipient(const map_message *message, size_t recipient);

/**
 * Its Message-ID, without angle brackets.
 *
 * @param message that was built, sent or written.
 * @return NULL if it has none. Borrowed until the message is changed or freed.
 */
MAP_API const char *map_message_id(const map_message *message);

/**
 * How many octets it has as it is sent.
 *
 * @param message that was built, sent or written.
 * @return MAP_SIZE_UNKNOWN if it cannot be told before it is sent.
 */
MAP_API uint64_t map_message_size(const map_message *message);

/**
 * What a host must offer for the message as it is; one that offers less may get it in another form.
 *
 * @param message that was built, sent or written.
 */
MAP_API map_body_type map_message_body_type(const map_message *message);

/**
 * Whether a host must offer SMTPUTF8, because an address has a local part beyond ASCII or the header of octets is in
 * UTF-8.
 *
 * @param message that was built, sent or written.
 */
MAP_API
bool map_message_needs_smtputf8(const map_message *message);

/**
 * How many oddities were found that are no reason not to send it.
 *
 * @param message NULL has none, and neither has one that is not built.
 */
MAP_API size_t map_message_warning_count(const map_message *message);

/**
 * One of them, in words.
 *
 * @param message that was built, sent or written.
 * @param warning 0 to map_message_warning_count() - 1.
 * @return NULL if there is no such warning. Borrowed until the message is changed or freed.
 */
MAP_API const char *map_message_warning(const map_message *message, size_t warning);

/**
 * The same message for some of its recipients: the same octets and Message-ID, and an envelope that names these alone. So it
 * is sent again to those who do not have it, and nobody gets a second copy: take those for whom map_report_is_transient()
 * is true.
 *
 * @param message    required; put together as map_message_build() does.
 * @param recipients as map_report_recipient() and map_message_recipient() give them; required. One that is named twice
 *                   counts once.
 * @param count      how many there are; at least one.
 * @param rest       required; written only on success: free it with map_message_free(). It can be sent and written, not
 *                   changed.
 * @return RE_SUCCESS; RE_INVALID_FORMAT for what is no address; RE_MISUSE for one who is no recipient of the message; what
 *         map_message_build() says.
 */
MAP_API
map_reply map_message_for_recipients(map_message *message,
                                     const char *const *recipients,
                                     size_t count,
                                     map_message **rest);

/**
 * Gives the octets of a message to a function of yours: what a host gets that offers all it needs, lines ended by CRLF.
 *
 * @param message   required.
 * @param write     required; called in this thread, with blocks of any length.
 * @param user_data handed to it.
 * @return RE_SUCCESS; RE_CANCELLED if the function stopped it; RE_LOCAL if a file or a function cannot be read; what
 *         map_message_build() says.
 */
MAP_API
map_reply map_message_write(map_message *message,
                            map_write_fn write,
                            void *user_data);

/**
 * Writes the octets of a message into a file: under another name in the same folder, and it takes its name when it is
 * whole. So the message may be read from the very file that is written, and a failure leaves what was there.
 *
 * @param message required.
 * @param path    of a file, which is made, or replaced by one of the same permissions; a symbolic link is followed. What
 *                is no regular file, a pipe or a device, is written to as it is.
 * @return RE_SUCCESS; RE_LOCAL if it cannot be read or written; what map_message_build() says.
 */
MAP_API
map_reply map_message_write_file(map_message *message,
                                 const char *path);

/**
 * Sends a message to all of its recipients, each once, and waits for what became of it. As map_send() does, it delivers to
 * the recipients' own mail servers, or to the relay of map_config_set_relay().
 *
 * @param message required. It is put together as map_message_build() does; nothing is sent if something of it was
 *                refused.
 * @param report  always written; free it with map_report_free(). It has a part for each recipient. It becomes NULL when
 *                there was nothing to send: the reply is that of map_message_build(), RE_MISUSE or RE_INTERNAL. May be
 *                NULL: no report is wanted.
 * @return RE_SUCCESS when the message was accepted for all recipients; RE_PARTIAL when it was for some and certainly not
 *         for the others; RE_UNCERTAIN when that cannot be said of one; else the reply of the one it went worst for.
 */
MAP_API
map_reply map_send_message(map_message *message,
                           map_report **report);

/**
 * As map_send_message(), by this agent.
 *
 * @param agent   required.
 * @param message as for map_send_message().
 * @param report  as for map_send_message().
 * @return as map_send_message().
 */
MAP_API map_reply map_agent_send_message(const map_agent *agent, map_message *message, map_report **report);

/**
 * As map_agent_send_message(), with a function of yours that is told how far it is, and may cancel it.
 *
 * @param agent     NULL: as map_send_message() does.
 * @param message   as for map_send_message().
 * @param progress  required.
 * @param user_data handed to it.
 * @param report    as for map_send_message().
 * @return as map_send_message().
 */
MAP_API
map_reply map_send_message_with_progress(const map_agent *agent,
                                         map_message *message,
                                         map_progress_fn progress,
                                         void *user_data,
                                         map_report **report);

/**
 * What is being done now; where several hosts are spoken with at the same time, the furthest of it.
 *
 * @param progress NULL: MAP_STAGE_CHECK.
 */
MAP_API map_stage map_progress_stage(const map_progress *progress);

/**
 * How many octets of the message were given to the system to send, over all hosts that it goes to. Fewer than before when
 * it has to begin anew with another host.
 *
 * @param progress NULL: 0.
 */
MAP_API
uint64_t map_progress_sent(const map_progress *progress);

/**
 * How many octets it will be in all.
 *
 * @param progress NULL: MAP_SIZE_UNKNOWN.
 * @return MAP_SIZE_UNKNOWN while it cannot be told.
 */
MAP_API uint64_t map_progress_total(const map_progress *progress);

/**
 * Makes a queue. It starts no thread.
 *
 * @return free with map_queue_free(); NULL with RE_LOCAL in map_last_reply() when the system gives no descriptor.
 */
MAP_API
map_queue *map_queue_new(void);

/**
 * Frees a queue. It cancels the sends that have not ended, calls no map_done_fn any more, and releases the user_data of
 * every send before it returns. Its map_wakeup_fn is not called after that, and its descriptor is closed: take it
 * out of your loop first.
 *
 * In a child that fork() made, the parent's sends go on, and the child's copies of the user_data are released, unless
 * another thread was inside a function of the queue at the moment of fork(): then they stay.
 *
 * @param queue may be NULL: nothing happens.
 */
MAP_API
void map_queue_free(map_queue *queue);

/**
 * The descriptor that is readable while map_queue_dispatch() has something to do, for poll(), epoll, kqueue and the loops
 * of toolkits. Only wait until it is readable: never read, write or close it.
 *
 * @param queue NULL: -1.
 * @return -1 in a child that fork() made, and on Windows, where map_queue_set_wakeup() serves instead. Borrowed until the
 *         queue is freed.
 */
MAP_API
int32_t map_queue_fd(const map_queue *queue);

/**
 * Sets a function that is called when map_queue_dispatch() begins to have something to do, for loops that cannot wait
 * for a descriptor. It is called in a thread of the library, or in the one that submits where the system gives no thread;
 * and by this call if something waits already. It is called again only after the next map_queue_dispatch(). After this
 * returns, the previous function is not called any more.
 *
 * @param queue     required.
 * @param wake      NULL: none.
 * @param user_data handed to it.
 * @return RE_SUCCESS; RE_MISUSE inside a wakeup function and in a child that fork() made.
 */
MAP_API
map_reply map_queue_set_wakeup(map_queue *queue,
                               map_wakeup_fn wake,
                               void *user_data);

/**
 * Calls the map_done_fn of the sends that have ended, in this thread, and never waits. It calls as many as waited when it
 * was called; the descriptor stays readable for those that end meanwhile. Inside a map_done_fn it does the same for the
 * others.
 *
 * @param queue NULL: nothing happens.
 * @return how many were called by this call.
 */
MAP_API
size_t map_queue_dispatch(map_queue *queue);

/**
 * How many sends were submitted whose map_done_fn has not been called. Never waits.
 *
 * @param queue NULL: 0.
 */
MAP_API size_t map_queue_pending(const map_queue *queue);

/**
 * Dispatches until no send is left or the time is over, for the end of a program. It waits for that long at most, and
 * for the functions that it calls.
 *
 * @param queue NULL: 0.
 * @param ms    how long to wait, in milliseconds.
 * @return how many sends are left, as map_queue_pending() counts them: 0 when all have ended.
 */
MAP_API
size_t map_queue_drain(map_queue *queue,
                       uint32_t ms);

/**
 * Starts to send one e-mail, as map_send() does, and returns at once: it never waits for the network, a file or another
 * send, and calls none of your functions but release, and that only if it returns NULL. The strings are copied; the checks,
 * composing and signing happen in the library's threads. Every failure comes by done, that of an empty field or a bad
 * address included.
 *
 * @param agent     NULL: the agent of map_send(). It may be freed at once.
 * @param from      the sender's address; NULL is an empty field, as in map_send().
 * @param to        the recipient's address.
 * @param subject   one line.
 * @param content   plain text.
 * @param queue     required.
 * @param done      required; called once by map_queue_dispatch() or map_queue_drain(), unless the queue is freed before.
 * @param user_data handed to done and release.
 * @param release   called exactly once with user_data: after done, when the queue is freed, or by this call when it returns
 *                  NULL. NULL: nothing is to be released.
 * @return free with map_job_free(), at once if you like. NULL only for misuse (no queue, no done, a child that fork() made)
 *         and when there is no memory; map_last_reply() says which.
 */
MAP_API
map_job *map_submit(const map_agent *agent,
                    const char *from,
                    const char *to,
                    const char *subject,
                    const char *content,
                    map_queue *queue,
                    map_done_fn done,
                    void *user_data,
                    map_release_fn release);

/**
 * Starts to send a message to all of its recipients, as map_send_message() does, and returns at once, as map_submit() does.
 * The message is put together in the library's threads: what is wrong with it comes by done, with the reply of
 * map_message_build().
 *
 * @param agent     as for map_submit().
 * @param message   required; NULL comes by done, too. It may be changed, sent again or freed at once.
 * @param queue     as for map_submit().
 * @param done      as for map_submit().
 * @param user_data as for map_submit().
 * @param release   as for map_submit().
 * @return as map_submit().
 */
MAP_API
map_job *map_submit_message(const map_agent *agent,
                            const map_message *message,
                            map_queue *queue,
                            map_done_fn done,
                            void *user_data,
                            map_release_fn release);

/**
 * Cancels a send, from any thread, at once and in every stage. done is still called: with RE_CANCELLED, with RE_UNCERTAIN
 * when the mail may have gone, or with the server's reply if that is there already.
 *
 * @param job NULL, and one that has ended: nothing happens.
 */
MAP_API
void map_job_cancel(const map_job *job);

/**
 * What is being done now, as map_progress_stage() says; MAP_STAGE_CHECK while the message is put together. Ask it
 * by a timer of yours.
 *
 * @param job NULL: MAP_STAGE_CHECK.
 */
MAP_API
map_stage map_job_stage(const map_job *job);

/**
 * How many octets of the message were given to the system to send, as map_progress_sent() says.
 *
 * @param job NULL: 0.
 */
MAP_API uint64_t map_job_sent(const map_job *job);

/**
 * How many octets it will be in all.
 *
 * @param job NULL: MAP_SIZE_UNKNOWN.
 * @return MAP_SIZE_UNKNOWN while it cannot be told.
 */
MAP_API uint64_t map_job_total(const map_job *job);

/**
 * Frees a job. Its send goes on, and done is called as if nothing had happened.
 *
 * @param job may be NULL: nothing happens.
 */
MAP_API void map_job_free(map_job *job);

/**
 * Makes a signer with a key in memory.
 *
 * @param domain   that signs: "example.com".
 * @param selector the name of the key among those of the domain: "mail2026".
 * @param pem      the private key in PEM, RSA or Ed25519: "-----BEGIN PRIVATE KEY-----...". It is in no output.
 * @return free with map_dkim_signer_free(); NULL with the reason in map_last_reply().
 */
MAP_API
map_dkim_signer *map_dkim_signer_new(const char *domain,
                                     const char *selector,
                                     const char *pem);

/**
 * Makes a signer with a key in a file, which is read now and not again.
 *
 * @param domain   as for map_dkim_signer_new().
 * @param selector as for map_dkim_signer_new().
 * @param path     of the file with the private key in PEM. One that every user can write is refused; one that others can
 *                 read is a warning in the report of what is signed with it.
 * @return as map_dkim_signer_new().
 */
MAP_API
map_dkim_signer *map_dkim_signer_file_new(const char *domain,
                                          const char *selector,
                                          const char *path);

/**
 * Frees a signer.
 *
 * @param signer may be NULL: nothing happens.
 */
MAP_API void map_dkim_signer_free(map_dkim_signer *signer);

/**
 * Lets signatures expire. Mail may wait for days in the queue of a relay. Without it they are good for ever. Where it was
 * refused, nobody signs by this signer until it is called again and is not.
 *
 * @param signer  required.
 * @param seconds one or more.
 * @return RE_SUCCESS, or RE_MISUSE.
 */
MAP_API
map_reply map_dkim_signer_set_expiry(map_dkim_signer *signer,
                                     uint64_t seconds);

/**
 * Where verifiers look for the public key: "mail2026._domainkey.example.com".
 *
 * @param signer NULL has none.
 * @return NULL without a signer. Borrowed until the signer is freed.
 */
MAP_API const char *map_dkim_signer_record_name(const map_dkim_signer *signer);

/**
 * The text of the TXT record that belongs there: "v=DKIM1; k=...".
 *
 * @param signer NULL has none.
 * @return NULL without a signer. Borrowed until the signer is freed.
 */
MAP_API const char *map_dkim_signer_record(const map_dkim_signer *signer);

/**
 * Frees a report and every string borrowed from it.
 *
 * @param report may be NULL: nothing happens.
 */
MAP_API void map_report_free(map_report *report);

/**
 * How many recipients the report speaks of: at least one.
 *
 * @param report NULL has none.
 */
MAP_API size_t map_report_recipient_count(const map_report *report);

/**
 * The recipient's address as it was given, without outer blanks.
 *
 * @param report    the report.
 * @param recipient 0 to map_report_recipient_count() - 1, or MAP_SUMMARY: the one that decided; empty for RE_PARTIAL, which
 *                  is nobody's alone.
 * @return NULL if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_recipient(const map_report *report,
                                 size_t recipient);

/**
 * The reply of MAP.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return RE_MISUSE if there is no such recipient.
 */
MAP_API map_reply map_report_reply(const map_report *report, size_t recipient);

/**
 * The reply as MAP prints it: "RE_BADREPLY: <554>."
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API const char *map_report_text(const map_report *report, size_t recipient);

/**
 * A sentence for a person: what happened, and what to do next. English, UTF-8.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API const char *map_report_advice(const map_report *report, size_t recipient);

/**
 * Is the mail with the recipient's server?
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return MAP_YES; MAP_NO; MAP_UNKNOWN when only the server knows (RE_UNCERTAIN), when a relay has it, or if there is no
 *         such recipient; of the summary also MAP_SOME, when some recipients have it and the others do not (RE_PARTIAL).
 */
MAP_API
map_answer map_report_delivered(const map_report *report,
                                size_t recipient);

/**
 * Did a relay accept the mail, which passes it on? map_report_delivered() is MAP_UNKNOWN then, because the recipient's own
 * server was not asked.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return false if there is no such recipient.
 */
MAP_API
bool map_report_is_relayed(const map_report *report,
                           size_t recipient);

/**
 * Is it worth sending the same mail again later, unchanged?
 *
 * False for RE_UNCERTAIN and RE_PORT_BLOCKED, too, which want a decision first. The summary is about the whole: false as
 * soon as one recipient has or may have the mail, or cannot get it. Send it again to those for whom it is true, by
 * map_message_for_recipients().
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return false if there is no such recipient.
 */
MAP_API
bool map_report_is_transient(const map_report *report,
                             size_t recipient);

/**
 * How long to wait before sending again, if there is a hint.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return milliseconds; 0 if there is no hint or no such recipient.
 */
MAP_API uint64_t map_report_retry_after_ms(const map_report *report, size_t recipient);

/**
 * The SMTP reply code that decided, such as 250 or 550.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return -1 if none did, or if there is no such recipient.
 */
MAP_API int32_t map_report_code(const map_report *report, size_t recipient);

/**
 * The enhanced status code (RFC 3463), such as "5.1.1": the server's, or the library's own for a local failure.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL if there is none, or no such recipient. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_enhanced(const map_report *report,
                                size_t recipient);

/**
 * What the server said in the reply that decided: its own octets, lines joined by a line feed.
 *
 * It may hold anything, NUL and terminal escapes included. Do not print it as it is, and do not trust it.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @param length    becomes the length in octets when there is a text, and is left alone when there is none. May be NULL.
 * @return NULL if there is none, or no such recipient. A NUL follows the octets. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_server_text(const map_report *report,
                                   size_t recipient,
                                   size_t *length);

/**
 * How far the mail came.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return MAP_STAGE_OTHER if there is no such recipient.
 */
MAP_API map_stage map_report_stage(const map_report *report, size_t recipient);

/**
 * The name of the mail host that decided.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL if none did, or if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API const char *map_report_host(const map_report *report, size_t recipient);

/**
 * The address of the mail host that decided, such as "192.0.2.1" or "2001:db8::1".
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL if none did, or if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API const char *map_report_address(const map_report *report, size_t recipient);

/**
 * The Message-ID of the mail, without its angle brackets.
 *
 * @param report the report.
 * @return NULL if no mail was made of the fields. Borrowed until the report is freed.
 */
MAP_API const char *map_report_message_id(const map_report *report);

/**
 * The dialogue as the MAP document prints it, "C:", "S:" and "SS:" at the head of its lines, each ended by a line feed.
 * What servers said is escaped. Made at the first call.
 *
 * @param report the report.
 * @return NULL only if report is. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_transcript(const map_report *report);

/**
 * How many warnings there are: what is odd but did not decide.
 *
 * @param report NULL has none.
 */
MAP_API size_t map_report_warning_count(const map_report *report);

/**
 * One warning, for a person.
 *
 * @param report  the report.
 * @param warning 0 to map_report_warning_count() - 1.
 * @return NULL if there is no such warning. Borrowed until the report is freed.
 */
MAP_API const char *map_report_warning(const map_report *report, size_t warning);

/**
 * How many addresses of mail hosts were tried.
 *
 * @param report NULL has none.
 */
MAP_API size_t map_report_attempt_count(const map_report *report);

/**
 * The name of the mail host of an attempt. The attempts stand in the order in which they were made.
 *
 * @param report  the report.
 * @param attempt 0 to map_report_attempt_count() - 1.
 * @return NULL if there is no such attempt. Borrowed until the report is freed.
 */
MAP_API const char *map_report_attempt_host(const map_report *report, size_t attempt);

/**
 * The address of an attempt.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return NULL if no address was found for the host, or if there is no such attempt. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_attempt_address(const map_report *report,
                                       size_t attempt);

/**
 * How an attempt ended, for a person: a phrase.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return NULL if there is no such attempt. Borrowed until the report is freed.
 */
MAP_API const char *map_report_attempt_detail(const map_report *report, size_t attempt);

/**
 * How an attempt ended.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return MAP_ATTEMPT_UNCERTAIN if there is no such attempt.
 */
MAP_API map_attempt_outcome map_report_attempt_outcome(const map_report *report, size_t attempt);

/**
 * How far an attempt came.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return MAP_STAGE_OTHER if there is no such attempt.
 */
MAP_API map_stage map_report_attempt_stage(const map_report *report, size_t attempt);

/**
 * The SMTP reply code that ended an attempt.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return -1 if none did, or if there is no such attempt.
 */
MAP_API int32_t map_report_attempt_code(const map_report *report, size_t attempt);

/**
 * How long an attempt took.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return milliseconds; 0 if there is no such attempt.
 */
MAP_API uint64_t map_report_attempt_duration_ms(const map_report *report, size_t attempt);

/**
 * A word for a stage: "check", "route", "connect", "greeting", "hello", "tls", "auth", "mail", "rcpt", "data", "content".
 *
 * @param stage any number.
 * @return a static string; never NULL, "other" for a number that is none of the stages.
 */
MAP_API
const char *map_stage_name(int32_t stage);

/**
 * The TLS version of the session with the mail host that decided: "TLSv1.3" or "TLSv1.2".
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL for a session in the clear, or if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_tls_version(const map_report *report,
                                   size_t recipient);

/**
 * The cipher suite of that session, as IANA names it: "TLS_AES_256_GCM_SHA384".
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL for a session in the clear, or if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_tls_cipher_suite(const map_report *report,
                                        size_t recipient);

/**
 * Did the mail host that decided prove who it is?
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return MAP_VERIFIED_NONE if there is no such recipient.
 */
MAP_API map_verified map_report_tls_verified(const map_report *report, size_t recipient);

/**
 * Why certificate authorities would have refused the certificate of that host, where that was only observed (MTA-STS in its
 * testing mode): the session was made all the same. For a person.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return NULL if there was nothing to say, or if there is no such recipient. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_tls_problem(const map_report *report,
                                   size_t recipient);

/**
 * What demanded TLS of the mail host that decided, whether it came to a session or not.
 *
 * @param report    the report.
 * @param recipient an index, or MAP_SUMMARY.
 * @return MAP_TLS_POLICY_NONE if there is no such recipient.
 */
MAP_API map_tls_policy map_report_tls_policy(const map_report *report, size_t recipient);

/**
 * The TLS version of an attempt: "TLSv1.3" or "TLSv1.2".
 *
 * @param report  the report.
 * @param attempt an index.
 * @return NULL for a session in the clear, or if there is no such attempt. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_attempt_tls_version(const map_report *report,
                                           size_t attempt);

/**
 * The cipher suite of an attempt, as IANA names it.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return NULL for a session in the clear, or if there is no such attempt. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_attempt_tls_cipher_suite(const map_report *report,
                                                size_t attempt);

/**
 * Did the mail host of an attempt prove who it is?
 *
 * @param report  the report.
 * @param attempt an index.
 * @return MAP_VERIFIED_NONE if there is no such attempt.
 */
MAP_API map_verified map_report_attempt_tls_verified(const map_report *report, size_t attempt);

/**
 * Why certificate authorities would have refused the certificate of an attempt, where that was only observed (MTA-STS in its
 * testing mode): the session was made all the same. For a person.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return NULL if there was nothing to say, or if there is no such attempt. Borrowed until the report is freed.
 */
MAP_API
const char *map_report_attempt_tls_problem(const map_report *report,
                                           size_t attempt);

/**
 * What demanded TLS of the mail host of an attempt, whether it came to a session or not.
 *
 * @param report  the report.
 * @param attempt an index.
 * @return MAP_TLS_POLICY_NONE if there is no such attempt.
 */
MAP_API map_tls_policy map_report_attempt_tls_policy(const map_report *report, size_t attempt);

/**
 * A word for a map_verified: "none", "pkix", "dane".
 *
 * @param verified any number.
 * @return a static string; never NULL, "other" for a number that is none of them.
 */
MAP_API const char *map_verified_name(int32_t verified);

/**
 * A word for a map_tls_policy: "none", "dane", "mta-sts", "relay", "required".
 *
 * @param policy any number.
 * @return a static string; never NULL, "other" for a number that is none of them.
 */
MAP_API const char *map_tls_policy_name(int32_t policy);

/**
 * What was found when it was asked whether outgoing port 25 is blocked: on the way to port 25 of the recipient's own
 * hosts, when no address of theirs could be connected to and loopback is not allowed.
 *
 * @param report NULL has nothing to say.
 * @return MAP_PORT25_NOT_ASKED, too, when there was no reason to ask: map_report_port25_text() is NULL then, and has the
 *         reason else.
 */
MAP_API
map_port25 map_report_port25(const map_report *report);

/**
 * The same with all that it rests on, in a line for a person.
 *
 * @param report the report.
 * @return NULL when there was no reason to ask. Borrowed until the report is freed.
 */
MAP_API const char *map_report_port25_text(const map_report *report);

/**
 * How old the answer was when it was used: an agent keeps one for ten minutes.
 *
 * @param report NULL has none.
 * @return milliseconds; 0 when it was asked for this mail, and when there was no reason to ask.
 */
MAP_API uint64_t map_report_port25_age_ms(const map_report *report);

/**
 * How many hosts were asked about port 25.
 *
 * @param report NULL has none.
 */
MAP_API size_t map_report_port25_probe_count(const map_report *report);

/**
 * What one of them said: "mx.example.net:25 [192.0.2.1] gave no answer in time".
 *
 * @param report    the report.
 * @param probe 0 to map_report_port25_probe_count() - 1.
 * @return NULL if there is no such probe. Borrowed until the report is freed.
 */
MAP_API const char *map_report_port25_probe(const map_report *report, size_t probe);

/**
 * Makes a session. It awaits CMD_FROM.
 *
 * @param agent the agent to send by, which may be freed before the session; or NULL: as map_send() does.
 * @return free with map_session_free(); NULL only with RE_INTERNAL in map_last_reply().
 */
MAP_API map_session *map_session_new(const map_agent *agent);

/**
 * Frees a session, and the reply and the report borrowed from it.
 *
 * @param session may be NULL: nothing happens.
 */
MAP_API void map_session_free(map_session *session);

/**
 * Gives the session its next command: "CMD_FROM: <cxw@apple.com>.", "CMD_TO: <...>.", "CMD_SUBJECT: <...>.",
 * "CMD_CONTENT: <...>.", "CMD_END."
 *
 * Between "<" and the final ">." a field may hold anything, ">." included. CMD_END checks the fields, sends the mail and
 * waits; after it the session awaits CMD_FROM again. A command that is unknown or out of order is answered RE_MISUSE and
 * changes nothing.
 *
 * @param session required.
 * @param command required; one command.
 * @return the reply as MAP prints it; empty when the command is in order and MAP is silent. Never NULL. Borrowed until
 *         the session has been given sixteen more commands, or is freed. A reply that is not empty is this thread's last
 *         reply, too.
 */
MAP_API
const char *map_session_command(map_session *session,
                                const char *command);

/**
 * As map_session_command(), with the command's length, for a command that is not NUL-terminated.
 *
 * @param session required.
 * @param command one command.
 * @param length  its length in octets.
 * @return as map_session_command().
 */
MAP_API const char *map_session_command_n(map_session *session, const char *command, size_t length);

/**
 * The report of the mail that the last CMD_END sent.
 *
 * @param session NULL has none.
 * @return NULL if the session's last command sent no mail. Borrowed until the session's next command, or until it is freed:
 *         do not free it.
 */
MAP_API
const map_report *map_session_report(const map_session *session);

/**
 * The version of the library that is running, such as "0.1.0".
 *
 * MAPAGENT_VERSION is the version of the header the program was compiled with.
 *
 * @return a static string; never NULL.
 */
MAP_API const char *map_version(void);

/**
 * The version of the library that is running as a number that grows: major * 1000000 + minor * 1000 + patch.
 *
 * MAPAGENT_VERSION_NUMBER is the same for the header.
 */
MAP_API uint32_t map_version_number(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MAPAGENT_H */
