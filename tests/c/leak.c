/* Forgets to free a report, so that a test can see that tools notice. */
#include "check.h"

int main(void)
{
    map_report *report;

    CHECK(map_send_report("", "", "", "", &report) == RE_NO_EMPTY);
    report = NULL;
    CHECK(report == NULL);
    return 0;
}
