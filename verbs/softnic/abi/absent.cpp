// SPDX-License-Identifier: BSD-3-Clause
// Public verbs that this device does not have. They fail as on a device without the feature.
#include "abi.hpp"

namespace {

template <class Handle>
Handle* none() noexcept {
    errno = EOPNOTSUPP;
    return nullptr;
}

}  // namespace

SOFTNIC_EXPORT ibv_ah* ibv_create_ah(ibv_pd*, ibv_ah_attr*) { return none<ibv_ah>(); }
SOFTNIC_EXPORT ibv_ah* ibv_create_ah_from_wc(ibv_pd*, ibv_wc*, ibv_grh*, std::uint8_t) { return none<ibv_ah>(); }
SOFTNIC_EXPORT int ibv_destroy_ah(ibv_ah*) { return EOPNOTSUPP; }
SOFTNIC_EXPORT int ibv_init_ah_from_wc(ibv_context*, std::uint8_t, ibv_wc*, ibv_grh*, ibv_ah_attr*) {
    errno = EOPNOTSUPP;
    return -1;
}
SOFTNIC_EXPORT int ibv_resolve_eth_l2_from_gid(ibv_context*, ibv_ah_attr*, std::uint8_t*, std::uint16_t*) {
    errno = EOPNOTSUPP;
    return -1;
}

SOFTNIC_EXPORT ibv_srq* ibv_create_srq(ibv_pd*, ibv_srq_init_attr*) { return none<ibv_srq>(); }
SOFTNIC_EXPORT int ibv_modify_srq(ibv_srq*, ibv_srq_attr*, int) { return EOPNOTSUPP; }
SOFTNIC_EXPORT int ibv_query_srq(ibv_srq*, ibv_srq_attr*) { return EOPNOTSUPP; }
SOFTNIC_EXPORT int ibv_destroy_srq(ibv_srq*) { return EOPNOTSUPP; }

SOFTNIC_EXPORT ibv_pd* ibv_import_pd(ibv_context*, std::uint32_t) { return none<ibv_pd>(); }
SOFTNIC_EXPORT void ibv_unimport_pd(ibv_pd*) {}
SOFTNIC_EXPORT ibv_mr* ibv_import_mr(ibv_pd*, std::uint32_t) { return none<ibv_mr>(); }
SOFTNIC_EXPORT void ibv_unimport_mr(ibv_mr*) {}
SOFTNIC_EXPORT ibv_dm* ibv_import_dm(ibv_context*, std::uint32_t) { return none<ibv_dm>(); }
SOFTNIC_EXPORT void ibv_unimport_dm(ibv_dm*) {}

SOFTNIC_EXPORT int ibv_set_ece(ibv_qp*, ibv_ece*) { return EOPNOTSUPP; }
SOFTNIC_EXPORT int ibv_query_ece(ibv_qp*, ibv_ece*) { return EOPNOTSUPP; }

// Conversions of kernel structures, for librdmacm's connections, of which there are none here.
SOFTNIC_EXPORT void ibv_copy_ah_attr_from_kern(ibv_ah_attr* to, const void*) { *to = {}; }
SOFTNIC_EXPORT void ibv_copy_qp_attr_from_kern(ibv_qp_attr* to, const void*) { *to = {}; }
SOFTNIC_EXPORT void ibv_copy_path_rec_from_kern(void*, const void*) {}
SOFTNIC_EXPORT void ibv_copy_path_rec_to_kern(void*, const void*) {}
