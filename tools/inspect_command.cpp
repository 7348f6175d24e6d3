// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <string>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>
#include <verbcast/readers.hpp>
#include <verbcast/ring_stream.hpp>

#include "commands.hpp"
#include "file_progress.hpp"
#include "heap_loop.hpp"
#include "human_units.hpp"
#include "json_output.hpp"
#include "option_values.hpp"
#include "safe_text.hpp"
#include "stream_options.hpp"
#include "terminal.hpp"
#include "text_output.hpp"

namespace verbcast::tools {
namespace {

using namespace std::chrono_literals;

struct inspect_options {
    pcap_reader_config reader;
    ring_stream_config ring{.when_full = full_policy::wait, .incomplete = incomplete_policy::deliver};
    bool json = false;
    bool stats = false;
};

/// One run of `verbcast inspect`.
class inspection {
public:
    explicit inspection(const inspect_options& options)
        : options_(options), progress_(options.reader.file), loop_(handlers()),
          stream_(thread_pool(), with_events(options.ring)) {}

    int run() {
        // Its end is in the stream's reason; false would mean that it ended already.
        stream_.add_reader(options_.reader);
        started_ = std::chrono::steady_clock::now();
        loop_.run(stream_.source());
        screen_.clear();
        stream_.stop();
        if (!stream_.wait_released(std::chrono::steady_clock::now() + 10s))
            say("the file was not closed within 10 s: the account may lack packets");
        return report();
    }

private:
    ring_stream_config with_events(ring_stream_config config) {
        config.stream.on_event = [this](const stream_event& event) {
            if (event.what != stream_event::kind::warning) return;  // the end of the file is in the stream's reason
            loop_.post([this, text = event.text] { screen_.message("verbcast inspect: " + safe_text(text)); });
        };
        return config;
    }

    heap_loop_handlers handlers() {
        return {
            .heap = [this](const heap_ref& heap) { return show(*heap); },
            .tick = [this] { show_progress(); },
            .interval = 200ms,
            .interrupted =
                [this] {
                    interrupted_ = true;
                    stream_.stop();
                },
        };
    }

    bool show(const heap& each) {
        if (interrupted_) return false;
        if (options_.json)
            print_json(heap_object(each));
        else
            print_text(printer_.text_of(each));
        return true;
    }

    void show_progress() {
        const auto position = progress_.position_bytes();
        // Where heaps scroll by on the same terminal, they are the progress.
        if (!screen_.interactive() || ::isatty(STDOUT_FILENO) == 1 || !position) return;
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started_;
        const std::string figures = fmt::format(" {} of {}, {}", human_bytes(*position),
                                                human_bytes(progress_.size_bytes()), human_time(elapsed.count()));
        const int room = std::min(60, screen_.columns() - 1 - static_cast<int>(figures.size()));
        screen_.refresh(progress_bar(*position, progress_.size_bytes(), room) + figures);
    }

    int report() {
        const stream_stats stats = stream_.stats();
        if (options_.stats && options_.json) print_json({{"stats", stats_object(stats)}});
        if (options_.stats && !options_.json) print_text("\n" + account_text(stats));
        const std::string so_far =
            fmt::format("{} from {}", counted(stats.heaps, "heap"), counted(stats.packets, "packet"));
        const stop_reason reason = stream_.reason();
        if (reason.failed()) {
            say(fmt::format("{}; that is after {}", reason.message, so_far));
            return exit_code::trouble;
        }
        if (interrupted_) {
            say(fmt::format("{}: interrupted after {}", options_.reader.file, so_far));
            return exit_code::trouble;
        }
        summarise(stats, so_far, reason);
        return exit_code::fine;
    }

    /// What a person should know who did not ask for the account.
    void summarise(const stream_stats& stats, const std::string& so_far, const stop_reason& reason) {
        if (options_.json || options_.stats) return;
        std::string text = so_far;
        if (reason.what == stop_reason::kind::stop_item) text += "; the stream ended with a stop item";
        const std::uint64_t rejected = stats.account.rejected.total();
        const std::uint64_t ignored = stats.account.ignored.total();
        if (rejected + ignored != 0)
            text += fmt::format("; {} rejected, {} ignored: --stats says why", grouped(rejected), grouped(ignored));
        say(text);
    }

    void say(const std::string& text) { screen_.message("verbcast inspect: " + safe_text(text)); }

    const inspect_options& options_;
    terminal screen_{stderr};
    heap_printer printer_;
    file_progress progress_;
    std::chrono::steady_clock::time_point started_;
    bool interrupted_ = false;
    heap_loop loop_;  // outlives the stream, whose events it is sent
    ring_stream stream_;
};

constexpr const char* description =
    "Shows the SPEAD heaps in a capture file (pcap or pcapng; Ethernet with VLAN tags, Linux cooked, raw IP; IPv4 and "
    "IPv6) in the order in which a receiver with these options would have had them, incomplete ones too.";

constexpr const char* epilogue =
    R"(Examples:
  verbcast inspect dump.pcap
      each heap with its items, their names, lengths, checksums and first bytes
  verbcast inspect dump.pcap --stats --filter 'udp port 7148' --out-of-order
      only one port; and where every packet went
  verbcast inspect dump.pcap --json | jq 'select(.status == "incomplete")'
      one object a heap, for programs

Exit codes:
  0  the whole file was read, or up to its stop item
  1  the file cannot be opened or is cut off: what came before that is shown
  2  usage
)";

}  // namespace

command inspect_command() {
    const auto options = std::make_shared<inspect_options>();
    const auto set_file = [options](const std::vector<std::string>& texts) { options->reader.file = texts.front(); };
    return {
        .name = "inspect",
        .summary = "Show the heaps in a capture file.",
        .description = description,
        .positionals = {{.name = "FILE", .help = "A capture, as tcpdump -w writes it; not a pipe.", .set = set_file}},
        .sections = {{"What is shown",
                      {{.name = "--json",
                        .help = "One JSON object a heap, each on a line of its own.",
                        .set = into_flag(options->json)},
                       {.name = "--stats",
                        .help =
                            "At the end, where every packet went. Lists each reason for which packets were rejected "
                            "or ignored.",
                        .set = into_flag(options->stats)},
                       {.name = "--filter",
                        .value = "EXPR",
                        .help = "Look only at frames that match, in the language of pcap-filter(7).",
                        .set = into_text(options->reader.filter),
                        .field = "filter"}}},
                     heap_options(options->ring)},
        .epilogue = epilogue,
        .run = [options] { return inspection(*options).run(); },
    };
}

}  // namespace verbcast::tools
