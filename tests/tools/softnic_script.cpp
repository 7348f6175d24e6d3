// SPDX-License-Identifier: BSD-3-Clause
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tools/command.hpp"
#include "tools/softnic_script.hpp"

using namespace verbcast::tools;
using nlohmann::ordered_json;

TEST_CASE("each rule of a fault script is a line for the software NIC") {
    CHECK(fault_lines(R"({"seed":1,"rules":[{"at":"frame","rate":0.01,"do":"drop"},
                          {"at":"ibv_reg_mr","call":3,"errno":12}]})") ==
          "frame drop rate=0.01\nibv_reg_mr call=3 errno=12\nseed 1\n");
    CHECK(fault_lines(R"({"rules":[{"at":"frame","do":"repeat","frame":[2,5],"times":2}]})") ==
          "frame repeat frame=2 frame=5 times=2\n");
    CHECK(fault_lines(R"({"rules":[{"at":"ibv_post_recv","call":3,"do":"port_error","lasts":2}]})") ==
          "ibv_post_recv call=3 do=port_error lasts=2\n");
}

TEST_CASE("what is not a list of rules is refused") {
    for (const char* text :
         {"", "[]", R"({"sed":1})", R"({"seed":-1})", R"({"rules":{}})", R"({"rules":[{"at":"frame"}]})",
          R"({"rules":[{"do":"drop"}]})", R"({"rules":[7]})", R"({"rules":[{"at":"#","do":"drop"}]})",
          R"({"rules":[{"at":"frame","do":{}}]})", R"({"rules":[{"at":"frame","do":"drop","frame":[[1]]}]})",
          R"({"rules":[{"at":"frame","do":"drop","device=a by":1}]})",
          R"({"rules":[{"at":"frame","do":"drop","device":"a\nb"}]})"}) {
        CHECK_THROWS_AS(fault_lines(text), usage_error);
    }
}

TEST_CASE("truths of several processes are added up, with their queues in one order") {
    const auto truth = [](int qpn, int offered) {
        return ordered_json{
            {"devices", {{"nic", {{"offered", offered}, {"lost", {{"fault", 1}}}, {"queues", {{{"qpn", qpn}}}}}}}}};
    };
    const ordered_json merged = merged_truth({truth(65, 3), truth(64, 4)});
    CHECK(merged == merged_truth({truth(64, 4), truth(65, 3)}));
    CHECK(merged["devices"]["nic"]["offered"] == 7);
    CHECK(merged["devices"]["nic"]["lost"]["fault"] == 2);
    CHECK(merged["devices"]["nic"]["queues"][0]["qpn"] == 64);
}
