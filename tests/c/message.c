/* A message with a piece of every kind, written to the standard output. Arguments: a file to attach. */
#include "check.h"

static const char png[] = "\x89PNG\r\n\x1a\n\0...";

/* A stream of 100,000 octets that is given out in pieces of 1,000. */
static int streams_open, streams_begun, released;

struct stream {
    size_t given;
};

static void *open_stream(void *user_data)
{
    struct stream *stream = calloc(1, sizeof *stream);

    CHECK(user_data == (void *)&released);
    streams_open++;
    streams_begun++;
    return stream;
}

static ptrdiff_t read_stream(void *handle, void *buffer, size_t size)
{
    struct stream *stream = handle;
    size_t left = 100000 - stream->given;
    size_t now = left < 1000 ? left : 1000;

    if (now > size)
        now = size;
    memset(buffer, 'z', now);
    stream->given += now;
    return (ptrdiff_t)now;
}

static void close_stream(void *stream)
{
    free(stream);
    streams_open--;
}

static void release(void *user_data)
{
    CHECK(user_data == (void *)&released);
    released++;
}

static int32_t to_stdout(const char *data, size_t length, void *user_data)
{
    uint64_t *octets = user_data;

    *octets += length;
    return fwrite(data, 1, length, stdout) == length ? 0 : 1;
}

static void add_header(map_message *message)
{
    CHECK(map_message_add_from(message, "Анна <anna@example.com>") == RE_SUCCESS);
    CHECK(map_message_add_from(message, "\"Doe, John\" <john@example.com>") == RE_SUCCESS);
    CHECK(map_message_set_sender(message, "Office <office@example.com>") == RE_SUCCESS);
    CHECK(map_message_add_reply_to(message, "answers@example.com") == RE_SUCCESS);
    CHECK(map_message_add_to(message, "bob@example.net, Team: carol@example.net, Dave <dave@example.net>;") == RE_SUCCESS);
    CHECK(map_message_add_to(message, "Zoë <zoe@example.net>") == RE_SUCCESS);
    CHECK(map_message_add_cc(message, "cc@example.org") == RE_SUCCESS);
    CHECK(map_message_add_bcc(message, "hidden@example.org, BOB <bob@example.net>") == RE_SUCCESS);
    CHECK(map_message_set_envelope_from(message, "bounces@example.com") == RE_SUCCESS);
    CHECK(map_message_set_subject(message, "Grüße aus Köln") == RE_SUCCESS);
    CHECK(map_message_set_date(message, 1795307999, -210) == RE_SUCCESS);
    CHECK(map_message_set_message_id(message, "<report.17@example.com>") == RE_SUCCESS);
    CHECK(map_message_add_in_reply_to(message, "<question@example.net>") == RE_SUCCESS);
    CHECK(map_message_add_references(message, "<first@example.net> <question@example.net>") == RE_SUCCESS);
    CHECK(map_message_add_comments(message, "one remark") == RE_SUCCESS);
    CHECK(map_message_add_keywords(message, "weather, Köln") == RE_SUCCESS);
    CHECK(map_message_add_field(message, "X-Own", "a value") == RE_SUCCESS);
}

static void add_parts(map_message *message, const char *file)
{
    map_part *part;

    CHECK(map_message_set_text(message, "Schön war's.\nBis bald!\n") == RE_SUCCESS);
    CHECK(map_message_set_html_n(message, "<p>Schön</p><img src=\"cid:logo@example.com\">!", 45) == RE_SUCCESS);

    part = map_part_octets_new(png, sizeof png - 1);
    CHECK(map_part_set_file_name(part, "logo.png") == RE_SUCCESS);
    CHECK(map_part_set_content_id(part, "<logo@example.com>") == RE_SUCCESS);
    CHECK(map_part_set_description(part, "Our logo") == RE_SUCCESS);
    CHECK(map_message_add_inline(message, part) == RE_SUCCESS);
    map_part_free(part);

    CHECK(map_message_attach_file(message, file) == RE_SUCCESS);
    CHECK(map_message_attach_octets(message, "a\0b", 3, "Отчёт за март.bin") == RE_SUCCESS);

    part = map_part_reader_new(100000, open_stream, read_stream, close_stream, &released, release);
    CHECK(part != NULL);
    CHECK(map_part_set_file_name(part, "stream.dat") == RE_SUCCESS);
    CHECK(map_message_attach(message, part) == RE_SUCCESS);
    map_part_free(part);
    CHECK(released == 0);

    part = map_part_text_new("BEGIN:VCALENDAR\r\n", 17);
    CHECK(map_part_set_media_type(part, "text/calendar; method=REQUEST") == RE_SUCCESS);
    CHECK(map_part_set_transfer_encoding(part, MAP_ENCODING_BASE64) == RE_SUCCESS);
    CHECK(map_part_set_disposition(part, MAP_DISPOSITION_INLINE) == RE_SUCCESS);
    CHECK(map_message_attach(message, part) == RE_SUCCESS);
    map_part_free(part);
}

/* A forwarded message and a text, in a multipart of its own. */
static void attach_multipart(map_message *message)
{
    map_message *inner = map_message_new();
    map_part *several = map_part_multipart_new(MAP_MULTIPART_PARALLEL);
    map_part *part;

    map_message_add_from(inner, "eve@example.net");
    map_message_add_to(inner, "list@example.net");
    map_message_set_date(inner, 0, 0);
    map_message_set_message_id(inner, "inner@example.net");
    map_message_set_subject(inner, "inner");
    map_message_set_text(inner, "inside\n");
    part = map_part_message_new(inner);
    CHECK(part != NULL);
    map_message_free(inner);
    CHECK(map_part_add(several, part) == RE_SUCCESS);
    map_part_free(part);

    part = map_part_html_new("<p>beside</p>", 13);
    CHECK(map_part_add(several, part) == RE_SUCCESS);
    map_part_free(part);
    CHECK(map_message_attach(message, several) == RE_SUCCESS);
    map_part_free(several);
}

static const char key[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                          "-----END PRIVATE KEY-----\n";

/* Signed, and with wishes for the hosts that carry it. */
static void add_envelope(map_message *message)
{
    map_dkim_signer *signer = map_dkim_signer_new("example.com", "mail2026", key);

    CHECK(signer != NULL);
    CHECK(map_dkim_signer_set_expiry(signer, 86400) == RE_SUCCESS);
    CHECK_TEXT(map_dkim_signer_record_name(signer), "mail2026._domainkey.example.com");
    CHECK(strstr(map_dkim_signer_record(signer), "k=ed25519") != NULL);
    CHECK(map_message_sign(message, signer) == RE_SUCCESS);
    map_dkim_signer_free(signer);
    CHECK(map_message_set_notify(message, "SUCCESS,DELAY") == RE_SUCCESS);
    CHECK(map_message_add_original_recipient(message, "bob@example.net", "rfc822;list@example.net") == RE_SUCCESS);
    CHECK(map_message_set_ret(message, MAP_RET_HEADERS) == RE_SUCCESS);
    CHECK(map_message_set_envelope_id(message, "report 17") == RE_SUCCESS);
    CHECK(map_message_set_require_tls(message) == RE_SUCCESS);
    CHECK(map_message_set_null_reverse_path(message) == RE_SUCCESS);
}

int main(int argc, char **argv)
{
    static const char *const recipients[] = {"bob@example.net", "carol@example.net", "dave@example.net",
                                             "zoe@example.net", "cc@example.org",    "hidden@example.org"};
    map_message *message = map_message_new();
    uint64_t octets = 0;

    CHECK(argc == 2);
    add_header(message);
    add_parts(message, argv[1]);
    attach_multipart(message);
    add_envelope(message);

    /* Not put together yet. */
    CHECK(map_message_recipient_count(message) == 0);
    CHECK(map_message_recipient(message, 0) == NULL);
    CHECK(map_message_id(message) == NULL);
    CHECK(map_message_size(message) == MAP_SIZE_UNKNOWN);

    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(streams_begun == 1 && streams_open == 0); /* To be signed. */
    CHECK(map_message_recipient_count(message) == 6);
    for (size_t i = 0; i < 6; i++)
        CHECK_TEXT(map_message_recipient(message, i), recipients[i]);
    CHECK(map_message_recipient(message, 6) == NULL);
    CHECK_TEXT(map_message_id(message), "report.17@example.com");
    CHECK(map_message_body_type(message) == MAP_BODY_7BIT);
    CHECK(!map_message_needs_smtputf8(message));
    CHECK(map_message_warning_count(message) == 0);

    CHECK(map_message_write(message, to_stdout, &octets) == RE_SUCCESS);
    CHECK(map_message_size(message) == octets);
    CHECK(streams_begun == 2 && streams_open == 0);

    map_message_free(message);
    CHECK(released == 1);
    return 0;
}
