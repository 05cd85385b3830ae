/* What the programs of a pod share with each other and with the agent (nucleo_cli/agent/maps.py says the same in Python).
 *
 * A pod is one cgroup. What a program finds first is `pods`, the storage of the cgroup that it is attached to: the number
 * of the pod and of its policy. Nobody has written it yet when a program sees its first packet: policy 0 is closed.
 *
 * A policy closes directions and names, for each, whom it opens them to: `peers` leads from an address to a set of
 * ports, `ports` from a set and a port to the rule that allows them. Both are tries of prefixes, so that a decision costs
 * two look-ups whatever the number of rules. IPv4 addresses are written as ::ffff:a.b.c.d everywhere.
 *
 * The maps outlive the agent: those of an earlier version are used again where type, sizes, entries and flags are the
 * same. One whose fields mean something else in the same size has to get another name.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DIRECTION_OUT 0
#define DIRECTION_IN 1

#define VERDICT_ALLOWED 0
#define VERDICT_DENIED 1
#define VERDICT_AUDITED 2 /* would be denied, if the policy were not only watching */
#define VERDICT_LIMITED 3

#define POLICY_CLOSED_OUT (1 << 0)
#define POLICY_CLOSED_IN (1 << 1)
#define POLICY_AUDIT (1 << 2)

#define RULE_NONE 0 /* no rule: of an open direction, or a denial */

/* Of rules that name hosts, the mask of `learned` has one bit for each. */
#define NAMES_PER_POLICY 64
#define NAME_BYTES 255

struct address {
  __u8 bytes[16];
};

struct pod {
  __u32 policy;
  __u32 number;
  struct bpf_spin_lock lock;
  __u32 pad;
  __u64 tokens; /* bytes that may leave at once */
  __u64 filled; /* nanoseconds of the monotonic clock at which tokens was right */
};

struct policy {
  __u32 generation; /* another one: flows that are known are judged again */
  __u32 flags;
  __u64 rate;  /* bytes a second that may leave; 0: no limit */
  __u64 burst; /* bytes */
};

/* A set is a policy and a direction, or a number that the agent gave to a set of ports. */
struct peer_key {
  __u32 prefix;
  __u32 policy;
  __u32 direction;
  struct address address;
};

struct port_key {
  __u32 prefix;
  __u32 set;
  __u8 protocol;
  __u8 pad;
  __be16 port;
};

struct flow_key {
  __u32 pod;
  struct address remote;
  __be16 local_port;
  __be16 remote_port;
  __u8 protocol;
  __u8 pad[3];
};

struct flow {
  __u64 seen; /* nanoseconds of the monotonic clock */
  __u32 generation;
  __u32 rule;
  __u8 direction;
  __u8 verdict;
  __u8 closing;
  __u8 pad[5];
};

/* Connections between the same two, by the port that was asked for: the other one is of no interest. */
struct record_key {
  __u32 pod;
  __u32 rule;
  struct address remote;
  __be16 port;
  __u8 protocol;
  __u8 direction;
  __u8 verdict;
  __u8 pad[3];
};

struct record {
  __u64 first, last; /* nanoseconds of the monotonic clock */
  __u64 connections;
  __u64 packets_out, bytes_out, packets_in, bytes_in;
};

struct name_key {
  __u32 policy;
  __u32 wildcard; /* 1: the hash is of what follows the first label or labels */
  __u64 hash;
};

/* As it is in a message (RFC 1035, 3.1), in small letters and without the root. */
struct name {
  __u32 index;
  __u32 length;
  __u8 wire[NAME_BYTES + 1];
};

struct learned_key {
  __u32 policy;
  struct address address;
};

struct learned {
  __u64 names;   /* bit i: the name with index i has this address */
  __u64 expires; /* nanoseconds of the monotonic clock */
};

struct name_ports_key {
  __u32 policy;
  __u32 index;
};

/* An address of the pod itself. */
struct own_key {
  __u32 pod;
  struct address address;
};

/* A question to a resolver that has no answer yet. */
struct asked_key {
  __u32 pod;
  __be16 local_port;
  __u16 id;
};

#define EVENT_RECORD 1
#define EVENT_ANSWER 2
#define ANSWER_BYTES 1232

/* The first packet of a record, so that it is seen at once; its numbers follow from `records`. */
struct record_event {
  __u32 kind;
  __u32 pad;
  struct record_key key;
};

/* An answer of a resolver, to give names to addresses. */
struct answer_event {
  __u32 kind;
  __u32 pod;
  __u32 length;
  __u8 message[ANSWER_BYTES];
};

/* Counters of what could not be kept; each is the sum over all CPUs. */
#define LOST_RECORDS 0
#define LOST_EVENTS 1
#define LOST_FLOWS 2
#define LOST_NAMES 3
#define MALFORMED 4
#define COUNTERS 5

struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
  __type(key, __u64);
  __type(value, struct pod);
} pods SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, struct policy);
} policies SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 262144);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct peer_key);
  __type(value, __u32);
} peers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 262144);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct port_key);
  __type(value, __u32);
} ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 131072);
  __type(key, struct flow_key);
  __type(value, struct flow);
} flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct record_key);
  __type(value, struct record);
} records SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct name_key);
  __type(value, struct name);
} names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct name_ports_key);
  __type(value, __u32); /* a set of ports */
} name_ports SEC(".maps");

/* Packets tell by themselves that they stay in the pod; a socket has no address yet when it asks. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct own_key);
  __type(value, __u32);
} own SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct learned_key);
  __type(value, struct learned);
} learned SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct asked_key);
  __type(value, __u64); /* the hash of the name */
} asked SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, COUNTERS);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 what) {
  __u64 *value = bpf_map_lookup_elem(&counters, &what);
  if (value)
    *value += 1;
}
