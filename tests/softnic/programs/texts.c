/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Prints what the functions of libibverbs that need no device give for every value. Usage: texts
 */
#include <stdio.h>

#include <infiniband/verbs.h>

int main(void) {
    for (int i = -1; i < 64; i++) {
        printf("%d: %s, %s, %s, %s", i, ibv_wc_status_str(i), ibv_node_type_str(i), ibv_port_state_str(i),
               ibv_event_type_str(i));
        printf(", %d, %d, %d\n", ibv_rate_to_mult(i), ibv_rate_to_mbps(i), mult_to_ibv_rate(i));
    }
    for (int mult = 0; mult < 1000; mult++) printf("%d ", mult_to_ibv_rate(mult));
    for (int mbps = 0; mbps < 2000000; mbps++) {
        const int rate = mbps_to_ibv_rate(mbps);
        if (rate != IBV_RATE_MAX) printf("\n%d: %d", mbps, rate);
    }
    printf("\n");
    return 0;
}
