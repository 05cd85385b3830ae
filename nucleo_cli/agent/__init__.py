"""The program of the DaemonSet: loads bpf_programs/, enforces network rules, counts and reports."""
