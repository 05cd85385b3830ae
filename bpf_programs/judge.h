/* Which rule allows a flow: pure look-ups in the maps of maps.h. */
#pragma once

#include "maps.h"

#define PEER_BITS (8 * (sizeof(struct peer_key) - sizeof(__u32)))
#define PORT_BITS (8 * (sizeof(struct port_key) - sizeof(__u32)))

struct wanted {
  __u32 policy;
  __u32 direction;
  struct address remote;
  __be16 port; /* that was asked for: the remote one of a flow that goes out, the local one of a flow that comes in */
  __u8 protocol;
  __u8 pad;
};

struct judged {
  __u32 rule;
  __u32 verdict;
};

static __always_inline __u32 rule_of_port(__u32 set, __u8 protocol, __be16 port) {
  struct port_key key = {.prefix = PORT_BITS, .set = set, .protocol = protocol, .port = port};
  __u32 *rule = bpf_map_lookup_elem(&ports, &key);
  return rule ? *rule : RULE_NONE;
}

/* A global function: the verifier looks at it once, not once for each of its callers. */
__attribute__((noinline)) __u32 rule_of_name(const struct wanted *wanted) {
  if (!wanted)
    return RULE_NONE;
  struct learned_key key = {.policy = wanted->policy, .address = wanted->remote};
  struct learned *learnt = bpf_map_lookup_elem(&learned, &key);
  if (!learnt || learnt->expires < bpf_ktime_get_ns())
    return RULE_NONE;
  __u64 found = learnt->names;
  for (__u32 i = 0; i < NAMES_PER_POLICY; i++) {
    if (!(found >> i & 1))
      continue;
    struct name_ports_key name = {.policy = wanted->policy, .index = i};
    __u32 *set = bpf_map_lookup_elem(&name_ports, &name);
    __u32 rule = set ? rule_of_port(*set, wanted->protocol, wanted->port) : RULE_NONE;
    if (rule != RULE_NONE)
      return rule;
  }
  return RULE_NONE;
}

static __always_inline __u32 rule_of(const struct wanted *wanted) {
  struct peer_key key = {.prefix = PEER_BITS, .policy = wanted->policy, .direction = wanted->direction};
  key.address = wanted->remote;
  __u32 *set = bpf_map_lookup_elem(&peers, &key);
  __u32 rule = set ? rule_of_port(*set, wanted->protocol, wanted->port) : RULE_NONE;
  if (rule == RULE_NONE && wanted->direction == DIRECTION_OUT)
    rule = rule_of_name(wanted);
  return rule;
}

/* A policy that is not there is closed: its pod is attached, and its rules are on their way. */
static __always_inline __u32 flags_of(const struct policy *policy) {
  return policy ? policy->flags : POLICY_CLOSED_OUT | POLICY_CLOSED_IN;
}

static __always_inline struct judged judge(const struct wanted *wanted, __u32 flags, int known_protocol) {
  struct judged judged = {.rule = RULE_NONE, .verdict = VERDICT_ALLOWED};
  __u32 closed = wanted->direction == DIRECTION_OUT ? POLICY_CLOSED_OUT : POLICY_CLOSED_IN;
  if (!(flags & closed))
    return judged;
  if (known_protocol)
    judged.rule = rule_of(wanted);
  if (judged.rule == RULE_NONE)
    judged.verdict = flags & POLICY_AUDIT ? VERDICT_AUDITED : VERDICT_DENIED;
  return judged;
}

static __always_inline void from_ipv4(struct address *address, __be32 ip) {
  __builtin_memset(address, 0, 10);
  address->bytes[10] = address->bytes[11] = 0xff;
  __builtin_memcpy(address->bytes + 12, &ip, 4);
}

static __always_inline int same(const struct address *one, const struct address *other) {
  __u64 a[2], b[2];
  __builtin_memcpy(a, one, sizeof(a));
  __builtin_memcpy(b, other, sizeof(b));
  return a[0] == b[0] && a[1] == b[1];
}

static __always_inline int is_loopback(const struct address *address) {
  const __u8 *bytes = address->bytes;
  __u64 high, low;
  __builtin_memcpy(&high, bytes, 8);
  __builtin_memcpy(&low, bytes + 8, 8);
  if (high != 0)
    return 0;
  return low == bpf_cpu_to_be64(1) || (bytes[8] == 0 && bytes[9] == 0 && bytes[10] == 0xff && bytes[11] == 0xff && bytes[12] == 127);
}

static __always_inline int is_unspecified(const struct address *address) {
  __u64 high, low;
  __builtin_memcpy(&high, address->bytes, 8);
  __builtin_memcpy(&low, address->bytes + 8, 8);
  return high == 0 && (low == 0 || low == bpf_cpu_to_be64(0xffff00000000ULL));
}

/* Tell of a record that was not there before. */
static __always_inline void tell(const struct record_key *key) {
  struct record_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    count(LOST_EVENTS);
    return;
  }
  event->kind = EVENT_RECORD;
  event->pad = 0;
  event->key = *key;
  bpf_ringbuf_submit(event, 0);
}

/* Add a packet, or an attempt without one (bytes 0), to its record. */
static __always_inline void keep(const struct record_key *key, __u64 now, int begins, int leaves, __u32 bytes) {
  struct record *record = bpf_map_lookup_elem(&records, key);
  if (!record) {
    struct record fresh = {.first = now};
    long failed = bpf_map_update_elem(&records, key, &fresh, BPF_NOEXIST);
    record = bpf_map_lookup_elem(&records, key);
    if (!record) {
      count(LOST_RECORDS);
      return;
    }
    if (!failed)
      tell(key);
  }
  record->last = now;
  if (begins)
    __sync_fetch_and_add(&record->connections, 1);
  if (!bytes)
    return;
  if (leaves) {
    __sync_fetch_and_add(&record->packets_out, 1);
    __sync_fetch_and_add(&record->bytes_out, bytes);
  } else {
    __sync_fetch_and_add(&record->packets_in, 1);
    __sync_fetch_and_add(&record->bytes_in, bytes);
  }
}
