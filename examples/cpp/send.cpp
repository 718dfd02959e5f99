/*
 * Sends one mail and says what happened, within a minute.
 *
 *     c++ -std=c++17 send.cpp -o send $(pkg-config --cflags --libs mapagent)
 *     ./send you@example.org friend@example.com "Hello" "See you on Sunday."
 */
#include <mapagent.hpp>

#include <chrono>
#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::cerr << "usage: " << argv[0] << " FROM TO SUBJECT CONTENT\n";
        return 2;
    }
    mapagent::config config;
    mapagent::require(config.set_deadline(std::chrono::minutes(1)));
    const mapagent::agent agent(config);

    const mapagent::report report = agent.send(argv[1], argv[2], argv[3], argv[4]);
    std::cout << report.text() << '\n' << report.advice() << '\n';
    if (report.is_transient())
        std::cout << "It is worth another try later.\n";
    return report.reply();
}
