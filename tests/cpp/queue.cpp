/* queue DNS PORT: functions and futures of a queue. */
#include "../c/check.h"

#include <mapagent.hpp>
#include <memory>
#include <thread>

int main(int argc, char **argv)
{
    map_config *settings = sandbox_config(argc, argv);
    CHECK(map_configure_default(settings) == RE_SUCCESS);
    mapagent::config config;
    CHECK(config.set_dns_servers(argv[1]) == RE_SUCCESS && config.set_smtp_port(std::atoi(argv[2])) == RE_SUCCESS);
    CHECK(config.set_allow_loopback(true) == RE_SUCCESS);
    map_config_free(settings);
    mapagent::agent agent(config);
    mapagent::queue queue;
    CHECK(queue && queue.fd() >= 0 && queue.set_wakeup(nullptr, nullptr) == RE_SUCCESS);

    auto counted = std::make_shared<int>(0);
    auto count = [counted](mapagent::report report) {
        CHECK(report.reply() == RE_SUCCESS);
        ++*counted;
    };
    CHECK(queue.submit(nullptr, "alice@sender.example", "bob@taken.example", "default", "c", count));
    mapagent::job job = queue.submit(&agent, "alice@sender.example", "bob@taken.example", "agent", "c", count);
    CHECK(job && queue.pending() == 2 && *counted == 0);
    mapagent::message message;
    message.from("alice@sender.example").to("bob@taken.example").subject("message").text("c");
    CHECK(queue.submit(&agent, message, count));
    CHECK(queue.drain(std::chrono::minutes(1)) == 0 && *counted == 3);
    CHECK(job.stage() >= 0 && job.sent() > 0 && job.total() == job.sent());
    job.cancel();

    auto empty = queue.submit(&agent, "", "bob@taken.example", "s", "c");
    auto future = queue.submit(nullptr, message);
    std::thread dispatching([&] { CHECK(queue.drain(std::chrono::minutes(1)) == 0); });
    CHECK(empty.get().text() == "RE_NO_EMPTY: <From,>.");
    CHECK(future.get().reply() == RE_SUCCESS);
    dispatching.join();
    CHECK(counted.use_count() == 2); // this one, and that in count

    mapagent::agent moved = std::move(agent);
    CHECK(!queue.submit(&agent, "alice@sender.example", "bob@taken.example", "never", "c", count));
    CHECK(queue.submit(&agent, message).get().text() == "RE_MISUSE: <agent is NULL>.");
    CHECK(queue.submit(&moved, "alice@sender.example", "bob@slow.example", "never", "c", count));
    queue = mapagent::queue();
    CHECK(counted.use_count() == 2 && *counted == 3);
    return 0;
}
