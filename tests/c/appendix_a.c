/* appendix_a DNS PORT FROM TO SUBJECT CONTENT: sends by the one call and prints the dialogue. */
#include "check.h"

int main(int argc, char **argv)
{
    map_report *report;
    map_reply reply;
    const char *transcript;

    CHECK(argc == 7);
    use_sandbox(argc, argv);
    reply = map_send_report(argv[3], argv[4], argv[5], argv[6], &report);
    CHECK(report != NULL);
    CHECK(map_report_reply(report, MAP_SUMMARY) == reply);
    CHECK_TEXT(map_report_text(report, MAP_SUMMARY), map_last_reply());
    CHECK_TEXT(map_report_advice(report, MAP_SUMMARY), map_last_advice());

    transcript = map_report_transcript(report);
    CHECK(map_report_transcript(report) == transcript);
    fputs(transcript, stdout);
    map_report_free(report);
    return reply;
}
