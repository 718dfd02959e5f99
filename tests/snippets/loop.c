/* A loop of a program's own, and what it does with a report. */
#include <mapagent.h>
#include <poll.h>
#include <stdio.h>

static void done(map_reply reply, map_report *report, void *user_data)
{
    (void)reply;
    (void)user_data;
    puts(map_report_text(report, MAP_SUMMARY));
    map_report_free(report);
}

int main(void)
{
    SNIPPET
    return 0;
}
