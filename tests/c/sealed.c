/* sealed DNS PORT: what a report tells of the TLS session with a mail host. */
#include "check.h"

static void sealed(const map_agent *agent)
{
    map_report *report;
    const char *suite;

    CHECK(map_agent_send(agent, "alice@sender.example", "bob@sealed.example", "s", "c", &report) == RE_SUCCESS);
    CHECK_TEXT(map_report_tls_version(report, MAP_SUMMARY), "TLSv1.3");
    CHECK_TEXT(map_report_tls_version(report, 0), "TLSv1.3");
    CHECK_TEXT(map_report_attempt_tls_version(report, 0), "TLSv1.3");
    suite = map_report_tls_cipher_suite(report, MAP_SUMMARY);
    CHECK(suite != NULL && strncmp(suite, "TLS_", 4) == 0);
    CHECK_TEXT(map_report_attempt_tls_cipher_suite(report, 0), suite);
    /* Nobody asked for a proof, and none was looked at. */
    CHECK(map_report_tls_verified(report, MAP_SUMMARY) == MAP_VERIFIED_NONE);
    CHECK(map_report_attempt_tls_verified(report, 0) == MAP_VERIFIED_NONE);
    CHECK(map_report_tls_policy(report, MAP_SUMMARY) == MAP_TLS_POLICY_NONE);
    CHECK(map_report_attempt_tls_policy(report, 0) == MAP_TLS_POLICY_NONE);
    CHECK(map_report_tls_problem(report, MAP_SUMMARY) == NULL);
    CHECK(!map_report_is_relayed(report, MAP_SUMMARY));
    map_report_free(report);
}

int main(int argc, char **argv)
{
    map_config *config = sandbox_config(argc, argv);
    map_agent *agent = map_agent_new(config);

    map_config_free(config);
    sealed(agent);
    map_agent_free(agent);
    return 0;
}
