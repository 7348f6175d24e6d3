// SPDX-License-Identifier: BSD-3-Clause
// Connections and rsockets, which the software NIC does not have: the names are there to be bound, and fail.
#include <cerrno>
#include <cstdint>

#define SOFTNIC_EXPORT extern "C" __attribute__((visibility("default")))

// As wide as the widest result, so that -1 is -1 for each of them.
#define SOFTNIC_ABSENT(name)                                                                                           \
    SOFTNIC_EXPORT std::intptr_t name() {                                                                              \
        errno = ENOSYS;                                                                                                \
        return -1;                                                                                                     \
    }

SOFTNIC_ABSENT(raccept)
SOFTNIC_ABSENT(rbind)
SOFTNIC_ABSENT(rclose)
SOFTNIC_ABSENT(rconnect)
SOFTNIC_ABSENT(rdma_accept)
SOFTNIC_ABSENT(rdma_connect)
SOFTNIC_ABSENT(rdma_create_ep)
SOFTNIC_ABSENT(rdma_create_qp)
SOFTNIC_ABSENT(rdma_create_qp_ex)
SOFTNIC_ABSENT(rdma_create_srq)
SOFTNIC_ABSENT(rdma_create_srq_ex)
SOFTNIC_ABSENT(rdma_disconnect)
SOFTNIC_ABSENT(rdma_establish)
SOFTNIC_ABSENT(rdma_get_remote_ece)
SOFTNIC_ABSENT(rdma_get_request)
SOFTNIC_ABSENT(rdma_getaddrinfo)
SOFTNIC_ABSENT(rdma_init_qp_attr)
SOFTNIC_ABSENT(rdma_join_multicast)
SOFTNIC_ABSENT(rdma_join_multicast_ex)
SOFTNIC_ABSENT(rdma_leave_multicast)
SOFTNIC_ABSENT(rdma_listen)
SOFTNIC_ABSENT(rdma_migrate_id)
SOFTNIC_ABSENT(rdma_notify)
SOFTNIC_ABSENT(rdma_reject)
SOFTNIC_ABSENT(rdma_reject_ece)
SOFTNIC_ABSENT(rdma_resolve_route)
SOFTNIC_ABSENT(rdma_set_local_ece)
SOFTNIC_ABSENT(rfcntl)
SOFTNIC_ABSENT(rgetpeername)
SOFTNIC_ABSENT(rgetsockname)
SOFTNIC_ABSENT(rgetsockopt)
SOFTNIC_ABSENT(riomap)
SOFTNIC_ABSENT(riounmap)
SOFTNIC_ABSENT(riowrite)
SOFTNIC_ABSENT(rlisten)
SOFTNIC_ABSENT(rpoll)
SOFTNIC_ABSENT(rread)
SOFTNIC_ABSENT(rreadv)
SOFTNIC_ABSENT(rrecv)
SOFTNIC_ABSENT(rrecvfrom)
SOFTNIC_ABSENT(rrecvmsg)
SOFTNIC_ABSENT(rselect)
SOFTNIC_ABSENT(rsend)
SOFTNIC_ABSENT(rsendmsg)
SOFTNIC_ABSENT(rsendto)
SOFTNIC_ABSENT(rsetsockopt)
SOFTNIC_ABSENT(rshutdown)
SOFTNIC_ABSENT(rsocket)
SOFTNIC_ABSENT(rwrite)
SOFTNIC_ABSENT(rwritev)

// What nobody can have made cannot be destroyed.
SOFTNIC_EXPORT void rdma_destroy_ep(void*) {}
SOFTNIC_EXPORT void rdma_destroy_qp(void*) {}
SOFTNIC_EXPORT void rdma_destroy_srq(void*) {}
SOFTNIC_EXPORT void rdma_freeaddrinfo(void*) {}
