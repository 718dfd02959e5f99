/* What a message refuses, and that nothing is sent that lacks a piece. Nothing here reaches a network. Arguments: a folder
 * that may be written to. */
#include "check.h"

static char in_folder[4096];

static const char *path(const char *folder, const char *name)
{
    snprintf(in_folder, sizeof in_folder, "%s/%s", folder, name);
    return in_folder;
}

static map_message *whole_message(void)
{
    map_message *message = map_message_new();

    CHECK(map_message_add_from(message, "a@example.com") == RE_SUCCESS);
    CHECK(map_message_add_to(message, "b@example.com") == RE_SUCCESS);
    CHECK(map_message_set_text(message, "text") == RE_SUCCESS);
    return message;
}

static int32_t count(const char *data, size_t length, void *user_data)
{
    (void)data;
    *(size_t *)user_data += length;
    return 0;
}

static int32_t stop(const char *data, size_t length, void *user_data)
{
    (void)data;
    (void)length;
    ++*(int *)user_data;
    return 7;
}

/* A refusal is answered at once, and again by what was to use the message. */
static void pieces_are_refused_and_not_left_out(void)
{
    map_message *message = whole_message();
    size_t octets = 0;

    CHECK(map_message_add_cc(message, "Bob bob@example.com") == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <Bob bob@example.com>.");
    CHECK(strstr(map_last_advice(), "the address in Cc is not valid: ") == map_last_advice());
    CHECK(map_message_set_subject(message, "one\nBcc: two") == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <Subject>.");
    CHECK(map_message_set_subject(message, "now in order") == RE_SUCCESS);

    CHECK(map_message_build(message) == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <Bob bob@example.com>.");
    CHECK(map_message_write(message, count, &octets) == RE_INVALID_FORMAT);
    CHECK(octets == 0);
    CHECK(map_part_message_new(message) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <Bob bob@example.com>.");

    CHECK(map_message_clear_errors(message) == RE_SUCCESS);
    CHECK(map_message_write(message, count, &octets) == RE_SUCCESS);
    CHECK(octets > 100);
    map_message_free(message);
}

static void what_no_mail_can_carry_is_said(void)
{
    map_message *message = whole_message();
    static const char long_name[] = "X-0123456789012345678901234567890123456789012345678901234567890123456789012345";

    /* What others have made is taken as it is. */
    CHECK(map_message_add_references(message, "<[17@abc]><a..b@c.>, <no-at>") == RE_SUCCESS);
    CHECK(map_message_add_in_reply_to(message, "<17@>") == RE_SUCCESS);

    CHECK(map_message_add_from(message, "") == RE_INVALID_FORMAT);
    CHECK(map_message_add_to(message, "first(middle)last@example.com") == RE_INVALID_FORMAT);
    CHECK(map_message_set_sender(message, "a@example.com, b@example.com") == RE_INVALID_FORMAT);
    CHECK(map_message_add_reply_to(message, "nobody") == RE_INVALID_FORMAT);
    CHECK(map_message_add_to(message, "b@\xff.example") == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <addresses>.");
    CHECK(map_message_add_bcc(message, "a@b@c") == RE_INVALID_FORMAT);
    CHECK(map_message_set_envelope_from(message, "A <a@example.com>") == RE_INVALID_FORMAT);
    CHECK(map_message_set_message_id(message, "no at") == RE_INVALID_FORMAT);
    CHECK(map_message_add_in_reply_to(message, "<a@b> nonsense") == RE_INVALID_FORMAT);
    CHECK(map_message_add_references(message, "nonsense") == RE_INVALID_FORMAT);
    CHECK(map_message_add_comments(message, "a\r\nb") == RE_INVALID_FORMAT);
    CHECK(map_message_add_keywords(message, "a,,b") == RE_INVALID_FORMAT);
    CHECK(map_message_add_field(message, "Bcc", "c@example.com") == RE_INVALID_FORMAT);
    CHECK(map_message_add_field(message, "X: y", "z") == RE_INVALID_FORMAT);
    CHECK(map_message_add_field(message, long_name, "z") == RE_INVALID_FORMAT);
    CHECK(map_message_add_field(message, "X-A", "a\nBcc: c@example.com") == RE_INVALID_FORMAT);
    CHECK(map_message_set_text_n(message, "a\0b", 3) == RE_INVALID_FORMAT);
    CHECK(map_message_set_html(message, "\xc0\x80") == RE_INVALID_FORMAT);
    CHECK(map_message_attach_octets(message, "a", 1, "two\nlines") == RE_INVALID_FORMAT);
    CHECK(map_message_add_resent(message, "a@example.com", NULL, "nobody", NULL, NULL) == RE_INVALID_FORMAT);
    CHECK(strstr(map_last_advice(), "Resent-To") != NULL);

    CHECK(map_message_set_notify(message, "SOMETIMES") == RE_INVALID_FORMAT);
    CHECK(map_message_add_original_recipient(message, "b@example.com", "no type") == RE_INVALID_FORMAT);
    CHECK(map_message_add_original_recipient(message, "nobody", "rfc822;b@example.com") == RE_INVALID_FORMAT);
    CHECK(map_message_set_envelope_id(message, "\n") == RE_INVALID_FORMAT);
    CHECK(map_message_set_ret(message, 0) == RE_MISUSE);
    CHECK(map_message_sign(message, NULL) == RE_MISUSE);
    CHECK(map_dkim_signer_new("example.com", "s", "no key") == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <there is no private key in PEM form>.");
    CHECK(map_dkim_signer_new("no domain!", "s", "") == NULL);
    CHECK(map_dkim_signer_file_new("example.com", "s", "/nowhere") == NULL);
    CHECK(map_dkim_signer_set_expiry(NULL, 1) == RE_MISUSE);
    CHECK(map_dkim_signer_record(NULL) == NULL && map_dkim_signer_record_name(NULL) == NULL);

    CHECK(map_message_set_date(message, INT64_MAX, 0) == RE_MISUSE);
    CHECK(map_message_set_date(message, -3000000000, 0) == RE_MISUSE);
    CHECK(map_message_set_date(message, 0, INT32_MAX) == RE_MISUSE);
    CHECK(map_message_set_body_type(message, 3) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <3 is not a map_body_type>.");
    CHECK(map_message_attach_file(message, "/nowhere/to/be/found") == RE_LOCAL);
    CHECK_TEXT(map_last_reply(), "RE_LOCAL: </nowhere/to/be/found: No such file or directory>.");
    CHECK(map_message_attach_file(message, "/dev/null") == RE_LOCAL);
    CHECK(map_message_set_text_n(message, "a", SIZE_MAX) == RE_MISUSE);
    map_message_free(message);
}

static void null_is_refused(void)
{
    map_message *message = whole_message();

    CHECK(map_message_add_to(NULL, "b@example.com") == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <message is NULL>.");
    CHECK(map_message_add_to(message, NULL) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <addresses is NULL>.");
    CHECK(map_message_attach(message, NULL) == RE_MISUSE);
    CHECK(map_message_set_text(message, NULL) == RE_MISUSE);
    CHECK(map_message_set_html_n(message, NULL, 4) == RE_MISUSE);
    CHECK(map_message_write(message, NULL, NULL) == RE_MISUSE);
    CHECK(map_message_write_file(message, NULL) == RE_MISUSE);
    CHECK(map_message_build(NULL) == RE_MISUSE);
    CHECK(map_message_clear_errors(NULL) == RE_MISUSE);
    CHECK(map_message_recipient_count(NULL) == 0);
    CHECK(map_message_size(NULL) == MAP_SIZE_UNKNOWN);
    CHECK(map_message_id(NULL) == NULL);
    CHECK(map_message_warning(NULL, 0) == NULL);
    CHECK(map_message_raw_new(NULL, 1) == NULL);
    CHECK(map_message_raw_file_new(NULL) == NULL);
    CHECK(map_part_text_new(NULL, 1) == NULL);
    CHECK(map_part_file_new(NULL) == NULL);
    CHECK(map_part_message_new(NULL) == NULL);
    CHECK(map_part_multipart_new(0) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <0 is not a map_multipart>.");
    CHECK(map_part_add(NULL, NULL) == RE_MISUSE);
    CHECK(map_part_set_file_name(NULL, "x") == RE_MISUSE);
    map_message_free(message);
    map_message_free(NULL);
    map_part_free(NULL);
}

static void what_does_not_fit_together_is_said(void)
{
    map_message *message = map_message_new();
    map_part *part = map_part_octets_new("x", 1);

    CHECK(map_message_build(message) == RE_NO_EMPTY);
    CHECK_TEXT(map_last_reply(), "RE_NO_EMPTY: <From,>.");
    map_message_add_from(message, "a@example.com, b@example.com");
    CHECK(map_message_build(message) == RE_MISUSE);
    map_message_set_sender(message, "a@example.com");
    CHECK(map_message_build(message) == RE_NO_EMPTY);
    CHECK_TEXT(map_last_reply(), "RE_NO_EMPTY: <To,>.");
    map_message_add_bcc(message, "b@example.com");
    CHECK(map_message_build(message) == RE_SUCCESS);
    map_message_set_html(message, "<p>");
    CHECK(map_message_add_inline(message, part) == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_MISUSE);
    CHECK(strstr(map_last_reply(), "content identifier") != NULL);
    map_part_free(part);
    map_message_free(message);
}

static void a_part_that_was_refused_is_not_attached(void)
{
    map_message *message = whole_message();
    map_part *part = map_part_octets_new("x", 1);
    map_part *several = map_part_multipart_new(MAP_MULTIPART_MIXED);

    CHECK(map_part_set_file_name(part, " ") == RE_INVALID_FORMAT);
    CHECK(map_part_set_media_type(part, "text") == RE_INVALID_FORMAT);
    CHECK(map_part_set_content_id(part, "x y") == RE_INVALID_FORMAT);
    CHECK(map_part_set_description(part, "\n") == RE_INVALID_FORMAT);
    CHECK(map_part_set_disposition(part, 0) == RE_MISUSE);
    CHECK(map_part_set_transfer_encoding(part, 6) == RE_MISUSE);
    CHECK(map_part_add(part, part) == RE_INVALID_FORMAT);
    CHECK(map_part_add(several, part) == RE_INVALID_FORMAT);
    CHECK_TEXT(map_last_reply(), "RE_INVALID_FORMAT: <file_name>.");
    CHECK(map_message_attach(message, several) == RE_INVALID_FORMAT);
    CHECK(map_message_attach(message, part) == RE_INVALID_FORMAT);
    CHECK(map_message_build(message) == RE_INVALID_FORMAT);
    map_part_free(several);
    map_part_free(part);

    part = map_part_octets_new("x", 1);
    CHECK(map_part_add(part, part) == RE_MISUSE);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <only a multipart has parts>.");
    map_part_free(part);
    map_message_free(message);
}

static int begun, released;

static void *cannot_begin(void *user_data)
{
    (void)user_data;
    return NULL;
}

static void *begin(void *user_data)
{
    begun++;
    return user_data;
}

static ptrdiff_t fails(void *stream, void *buffer, size_t size)
{
    (void)stream;
    (void)buffer;
    (void)size;
    return -1;
}

static ptrdiff_t claims_too_much(void *stream, void *buffer, size_t size)
{
    (void)stream;
    (void)buffer;
    return (ptrdiff_t)size + 1;
}

static void ends(void *stream)
{
    (void)stream;
    begun--;
}

static void release(void *user_data)
{
    CHECK(user_data == &released);
    released++;
}

static void data_that_cannot_be_read_ends_it(void)
{
    struct {
        map_open_fn open;
        map_read_fn read;
    } wrong[] = {{cannot_begin, fails}, {begin, fails}, {begin, claims_too_much}};
    size_t octets = 0;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        map_message *message = whole_message();
        map_part *part = map_part_reader_new(MAP_SIZE_UNKNOWN, wrong[i].open, wrong[i].read, ends, &released, release);

        CHECK(map_message_attach(message, part) == RE_SUCCESS);
        map_part_free(part);
        CHECK(map_message_build(message) == RE_SUCCESS);
        CHECK(map_message_size(message) == MAP_SIZE_UNKNOWN);
        CHECK(map_message_write(message, count, &octets) == RE_LOCAL);
        CHECK(strstr(map_last_advice(), "the function that ") != NULL);
        CHECK(begun == 0);
        map_message_free(message);
        CHECK(released == (int)i + 1);
    }
    CHECK(map_part_reader_new(1, NULL, fails, ends, &released, release) == NULL);
    CHECK_TEXT(map_last_reply(), "RE_MISUSE: <open is NULL>.");
    CHECK(map_message_raw_reader_new(begin, NULL, ends, &released, release) == NULL);
    CHECK(released == 5);
}

static void writing_can_be_stopped_and_can_fail(const char *folder)
{
    map_message *message = whole_message();
    int calls = 0;

    CHECK(map_message_write(message, stop, &calls) == RE_CANCELLED);
    CHECK(calls == 1);
    CHECK(map_message_write_file(message, path(folder, "no/such/folder")) == RE_LOCAL);
    CHECK(strstr(map_last_reply(), "no/such/folder") != NULL);
    CHECK(map_message_write_file(message, path(folder, "written")) == RE_SUCCESS);
    map_message_free(message);
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static size_t read_text(const char *name, char *text, size_t size)
{
    FILE *file = fopen(name, "rb");
    size_t length;

    CHECK(file != NULL);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return length;
}

/* The file that is written may be the one that the message is read from, and what is there stays if writing fails. */
static void a_file_is_whole_or_as_it_was(const char *folder)
{
    static const char unix_lines[] = "From: a@example.com\nTo: b@example.com\nDate: Sun, 22 Nov 2026 01:40:00 +0100\n\none\n";
    char read[1024];
    map_message *message;
    map_part *part;

    write_text(path(folder, "in_place"), unix_lines);
    message = map_message_raw_file_new(in_folder);
    CHECK(map_message_set_unix_line_ends(message) == RE_SUCCESS);
    CHECK(map_message_write_file(message, in_folder) == RE_SUCCESS);
    CHECK(read_text(in_folder, read, sizeof read) == strlen(unix_lines) + 5);
    CHECK(strstr(read, "\r\n\r\none\r\n") != NULL);
    map_message_free(message);

    message = whole_message();
    CHECK(map_message_attach_file(message, in_folder) == RE_SUCCESS);
    CHECK(map_message_write_file(message, in_folder) == RE_SUCCESS);
    CHECK(read_text(in_folder, read, sizeof read) > strlen(unix_lines) + 5);
    map_message_free(message);

    write_text(path(folder, "kept"), "kept");
    message = whole_message();
    part = map_part_reader_new(MAP_SIZE_UNKNOWN, begin, fails, ends, NULL, NULL);
    CHECK(map_message_attach(message, part) == RE_SUCCESS);
    map_part_free(part);
    CHECK(map_message_write_file(message, in_folder) == RE_LOCAL);
    CHECK(read_text(in_folder, read, sizeof read) == 4);
    CHECK_TEXT(read, "kept");
    map_message_free(message);
}

/* What was written is a message that can be sent as it is. */
static void octets_are_taken_as_they_are(const char *folder)
{
    static const char blind[] = "From: a@example.com\nTo: b@example.com\nBcc: c@example.com\n"
                                "Date: Sun, 22 Nov 2026 01:40:00 +0100\n\nGr\xfc\xdf"
                                "e\n";
    static const char unended[] = "From: a@example.com\r\nTo: b@example.com\r\n\r\nno end";
    map_message *message = map_message_raw_file_new(path(folder, "written"));

    CHECK(message != NULL);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK_TEXT(map_message_recipient(message, 0), "b@example.com");
    CHECK(map_message_add_to(message, "c@example.com") == RE_MISUSE);
    map_message_free(message);

    message = map_message_raw_new(blind, sizeof blind - 1);
    CHECK(map_message_build(message) == RE_INVALID_FORMAT);
    CHECK(map_message_set_unix_line_ends(message) == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_MISUSE);
    CHECK(strstr(map_last_advice(), "Bcc") != NULL);
    CHECK(map_message_set_blind_copies(message, MAP_BCC_REMOVE) == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(map_message_recipient_count(message) == 2);
    CHECK(map_message_id(message) == NULL);
    CHECK(map_message_body_type(message) == MAP_BODY_8BIT);
    CHECK(map_message_set_blind_copies(message, MAP_BCC_KEEP) == RE_SUCCESS);
    CHECK(map_message_set_envelope(message, "x@example.com", "Y <y@example.com>, z@example.com") == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK_TEXT(map_message_recipient(message, 1), "z@example.com");
    CHECK(map_message_add_resent(message, "r@example.com", NULL, NULL, "s@example.com", NULL) == RE_SUCCESS);
    CHECK(map_message_set_blind_copies(message, 3) == RE_MISUSE);
    map_message_free(message);

    message = map_message_raw_new(unended, strlen(unended));
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(map_message_warning_count(message) == 3);
    CHECK(strstr(map_message_warning(message, 0), "Date") != NULL);
    CHECK(map_message_set_strict(message) == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_INVALID_FORMAT);
    map_message_free(message);

    message = whole_message();
    CHECK(map_message_set_envelope(message, "x@example.com", "y@example.com") == RE_MISUSE);
    CHECK(map_message_set_strict(message) == RE_MISUSE);
    map_message_free(message);
}

/* It is the same message until it is changed. */
static void a_message_stays_the_same(void)
{
    map_message *message = whole_message();
    char id[200];

    CHECK(map_message_build(message) == RE_SUCCESS);
    snprintf(id, sizeof id, "%s", map_message_id(message));
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK_TEXT(map_message_id(message), id);
    CHECK(map_message_add_to(message, "c@example.com") == RE_SUCCESS);
    CHECK(map_message_id(message) == NULL);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(strcmp(map_message_id(message), id) != 0);
    CHECK(map_message_set_body_type(message, MAP_BODY_BINARY) == RE_SUCCESS);
    CHECK(map_message_attach_octets(message, "\0\n", 2, "data") == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(map_message_body_type(message) == MAP_BODY_BINARY);
    CHECK(!map_message_needs_smtputf8(message));
    CHECK(map_message_add_to(message, "ü@example.com") == RE_SUCCESS);
    CHECK(map_message_build(message) == RE_SUCCESS);
    CHECK(map_message_needs_smtputf8(message));
    map_message_free(message);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    pieces_are_refused_and_not_left_out();
    what_no_mail_can_carry_is_said();
    null_is_refused();
    what_does_not_fit_together_is_said();
    a_part_that_was_refused_is_not_attached();
    data_that_cannot_be_read_ends_it();
    writing_can_be_stopped_and_can_fail(argv[1]);
    a_file_is_whole_or_as_it_was(argv[1]);
    octets_are_taken_as_they_are(argv[1]);
    a_message_stays_the_same();
    return 0;
}
