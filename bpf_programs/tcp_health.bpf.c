/* How well the TCP connections of a pod do.
 *
 * Hook:   sockops of the pod's cgroup, with BPF_F_ALLOW_MULTI. It observes, and changes nothing.
 * Maps:   pods and flows of maps.h; `health`.
 * Units:  round-trip times in microseconds, by powers of two: the smoothed estimate of the kernel, once a round trip.
 * Limits: 4,096 pairs of pod and peer; those that were used last are kept.
 */
#include "judge.h"

#include <linux/in.h>

#define AF_INET 2
#define AF_INET6 10
#define BUCKETS 32

struct health_key {
  __u32 pod;
  struct address remote;
  __be16 port;
  __u8 direction;
  __u8 pad;
};

struct health {
  __u64 round_trips[BUCKETS];
  __u64 retransmits;
  __u64 resets;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct health_key);
  __type(value, struct health);
} health SEC(".maps");

static __always_inline __u32 bucket_of(__u32 microseconds) {
  __u32 bucket = 0;
  for (int i = 0; i < BUCKETS - 1; i++) {
    if (microseconds >> 1 == 0)
      break;
    microseconds >>= 1;
    bucket++;
  }
  return bucket;
}

static __always_inline struct health *health_of(struct bpf_sock_ops *ops, __u32 pod) {
  struct flow_key flow = {.pod = pod, .protocol = IPPROTO_TCP};
  if (ops->family == AF_INET) {
    from_ipv4(&flow.remote, ops->remote_ip4);
  } else if (ops->family == AF_INET6) {
    __u32 words[4] = {ops->remote_ip6[0], ops->remote_ip6[1], ops->remote_ip6[2], ops->remote_ip6[3]};
    __builtin_memcpy(&flow.remote, words, sizeof(words));
  } else {
    return 0;
  }
  if (is_loopback(&flow.remote))
    return 0;
  flow.local_port = bpf_htons(ops->local_port);
  flow.remote_port = ops->remote_port >> 16; /* the kernel has it in the upper half, in network order */
  struct flow *known = bpf_map_lookup_elem(&flows, &flow);
  struct health_key key = {.pod = pod, .remote = flow.remote};
  key.direction = known ? known->direction : DIRECTION_OUT;
  key.port = key.direction == DIRECTION_OUT ? flow.remote_port : flow.local_port;
  struct health *found = bpf_map_lookup_elem(&health, &key);
  if (found)
    return found;
  struct health fresh = {};
  bpf_map_update_elem(&health, &key, &fresh, BPF_NOEXIST);
  return bpf_map_lookup_elem(&health, &key);
}

SEC("sockops")
int pod_tcp(struct bpf_sock_ops *ops) {
  struct pod *pod = bpf_get_local_storage(&pods, 0);
  __u32 number = pod->number, what = ops->op;
  if (what == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || what == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
    bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_RETRANS_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG);
    return 1;
  }
  int reset = what == BPF_SOCK_OPS_STATE_CB && ops->args[0] == BPF_TCP_ESTABLISHED && ops->args[1] == BPF_TCP_CLOSE;
  if (what != BPF_SOCK_OPS_RTT_CB && what != BPF_SOCK_OPS_RETRANS_CB && !reset)
    return 1;
  struct health *found = health_of(ops, number);
  if (!found)
    return 1;
  __u32 bucket = bucket_of(ops->srtt_us >> 3);
  asm volatile("" : "+r"(bucket)); /* so that the verifier sees the mask */
  bucket &= BUCKETS - 1;
  if (what == BPF_SOCK_OPS_RTT_CB)
    __sync_fetch_and_add(&found->round_trips[bucket], 1);
  else if (reset)
    __sync_fetch_and_add(&found->resets, 1);
  else
    __sync_fetch_and_add(&found->retransmits, 1);
  return 1;
}

char LICENSE[] SEC("license") = "GPL";
