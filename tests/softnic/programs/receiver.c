/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A multicast receiver as people write them: finds its device with librdmacm, joins the group, steers it to a raw queue
 * pair, and either sleeps on the completion channel or polls. Checks that the datagrams count up.
 *
 * Usage: receiver INTERFACE_ADDRESS GROUP PORT NUMBER sleep|poll
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define SLOTS 8192
#define SLOT_BYTES 2048
#define HEADERS 42

struct rule {
    struct ibv_flow_attr attr;
    struct ibv_flow_spec_eth eth;
    struct ibv_flow_spec_ipv4 ip;
    struct ibv_flow_spec_tcp_udp udp;
};
_Static_assert(sizeof(struct rule) == sizeof(struct ibv_flow_attr) + sizeof(struct ibv_flow_spec_eth) +
                                          sizeof(struct ibv_flow_spec_ipv4) + sizeof(struct ibv_flow_spec_tcp_udp),
               "the specifications follow one another");

static void die(const char* what) {
    perror(what);
    exit(1);
}

static struct ibv_flow* steer(struct ibv_qp* qp, struct in_addr group, uint16_t port) {
    uint32_t host = ntohl(group.s_addr);
    struct rule rule;
    memset(&rule, 0, sizeof rule);
    rule.attr.type = IBV_FLOW_ATTR_NORMAL;
    rule.attr.size = sizeof rule;
    rule.attr.num_of_specs = 3;
    rule.attr.port = 1;
    rule.eth.type = IBV_FLOW_SPEC_ETH;
    rule.eth.size = sizeof rule.eth;
    const uint8_t mac[6] = {1, 0, 0x5e, host >> 16 & 0x7f, host >> 8 & 0xff, host & 0xff};
    memcpy(rule.eth.val.dst_mac, mac, 6);
    memset(rule.eth.mask.dst_mac, 0xff, 6);
    rule.ip.type = IBV_FLOW_SPEC_IPV4;
    rule.ip.size = sizeof rule.ip;
    rule.ip.val.dst_ip = group.s_addr;
    rule.ip.mask.dst_ip = 0xffffffff;
    rule.udp.type = IBV_FLOW_SPEC_UDP;
    rule.udp.size = sizeof rule.udp;
    rule.udp.val.dst_port = htons(port);
    rule.udp.mask.dst_port = 0xffff;
    return ibv_create_flow(qp, &rule.attr);
}

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    struct sockaddr_in local = {.sin_family = AF_INET};
    struct ip_mreq mreq;
    inet_pton(AF_INET, argv[1], &local.sin_addr);
    inet_pton(AF_INET, argv[2], &mreq.imr_multiaddr);
    mreq.imr_interface = local.sin_addr;
    const uint16_t port = (uint16_t)atoi(argv[3]);
    const unsigned long wanted = strtoul(argv[4], NULL, 10);
    const int sleeping = strcmp(argv[5], "sleep") == 0;

    struct rdma_event_channel* events = rdma_create_event_channel();
    struct rdma_cm_id* id = NULL;
    if (!events || rdma_create_id(events, &id, NULL, RDMA_PS_UDP)) die("rdma_create_id");
    if (rdma_bind_addr(id, (struct sockaddr*)&local)) die("rdma_bind_addr");
    if (!id->verbs) return fprintf(stderr, "no device has %s\n", argv[1]), 1;

    struct ibv_pd* pd = ibv_alloc_pd(id->verbs);
    struct ibv_comp_channel* channel = sleeping ? ibv_create_comp_channel(id->verbs) : NULL;
    struct ibv_cq* recv_cq = ibv_create_cq(id->verbs, SLOTS, NULL, channel, 0);
    struct ibv_cq* send_cq = ibv_create_cq(id->verbs, 1, NULL, NULL, 0);
    struct ibv_qp_init_attr init = {
        .send_cq = send_cq,
        .recv_cq = recv_cq,
        .qp_type = IBV_QPT_RAW_PACKET,
        .cap = {.max_send_wr = 1, .max_recv_wr = SLOTS, .max_send_sge = 1, .max_recv_sge = 1},
    };
    struct ibv_qp* qp = ibv_create_qp(pd, &init);
    if (!qp) die("ibv_create_qp");
    char* memory = aligned_alloc(4096, (size_t)SLOTS * SLOT_BYTES);
    struct ibv_mr* mr = ibv_reg_mr(pd, memory, (size_t)SLOTS * SLOT_BYTES, IBV_ACCESS_LOCAL_WRITE);
    if (!mr) die("ibv_reg_mr");
    struct ibv_sge* sges = calloc(SLOTS, sizeof *sges);
    struct ibv_recv_wr* wrs = calloc(SLOTS, sizeof *wrs);
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = id->port_num};
    if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT)) die("INIT");
    for (int i = 0; i < SLOTS; i++) {
        sges[i] = (struct ibv_sge){(uintptr_t)memory + (size_t)i * SLOT_BYTES, SLOT_BYTES, mr->lkey};
        wrs[i] = (struct ibv_recv_wr){(uint64_t)i, i + 1 < SLOTS ? &wrs[i + 1] : NULL, &sges[i], 1};
    }
    struct ibv_recv_wr* bad;
    if (ibv_post_recv(qp, wrs, &bad)) die("ibv_post_recv");
    attr.qp_state = IBV_QPS_RTR;
    if (ibv_modify_qp(qp, &attr, IBV_QP_STATE)) die("RTR");
    struct ibv_flow* flow = steer(qp, mreq.imr_multiaddr, port);
    if (!flow) die("ibv_create_flow");
    int join = socket(AF_INET, SOCK_DGRAM, 0);
    if (setsockopt(join, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof mreq)) die("IP_ADD_MEMBERSHIP");
    if (sleeping && ibv_req_notify_cq(recv_cq, 0)) die("ibv_req_notify_cq");
    printf("ready\n");
    fflush(stdout);

    unsigned long received = 0;
    uint32_t next = 0;
    alarm(20);
    while (received < wanted) {
        struct ibv_wc wc[64];
        int polled = ibv_poll_cq(recv_cq, 64, wc);
        if (polled < 0) die("ibv_poll_cq");
        if (polled == 0 && sleeping) {
            struct ibv_cq* which;
            void* user;
            if (ibv_get_cq_event(channel, &which, &user)) die("ibv_get_cq_event");
            ibv_ack_cq_events(which, 1);
            if (ibv_req_notify_cq(recv_cq, 0)) die("ibv_req_notify_cq");
        }
        for (int i = 0; i < polled; i++) {
            const char* frame = memory + wc[i].wr_id * SLOT_BYTES;
            uint32_t number;
            memcpy(&number, frame + HEADERS, sizeof number);
            if (wc[i].status != IBV_WC_SUCCESS || ntohl(number) != next || !(wc[i].wc_flags & IBV_WC_IP_CSUM_OK)) {
                fprintf(stderr, "status %s, number %u for %u, flags %x\n", ibv_wc_status_str(wc[i].status),
                        ntohl(number), next, wc[i].wc_flags);
                return 1;
            }
            next++;
            received++;
            wrs[wc[i].wr_id].next = i + 1 < polled ? &wrs[wc[i + 1].wr_id] : NULL;
        }
        if (polled && ibv_post_recv(qp, &wrs[wc[0].wr_id], &bad)) die("ibv_post_recv");
    }
    printf("%lu\n", received);
    close(join);
    if (ibv_destroy_flow(flow) || ibv_destroy_qp(qp) || ibv_destroy_cq(recv_cq) || ibv_destroy_cq(send_cq))
        die("destroy");
    if (channel && ibv_destroy_comp_channel(channel)) die("ibv_destroy_comp_channel");
    if (ibv_dereg_mr(mr) || ibv_dealloc_pd(pd) || rdma_destroy_id(id)) die("destroy");
    rdma_destroy_event_channel(events);
    free(wrs);
    free(sges);
    free(memory);
    return 0;
}
