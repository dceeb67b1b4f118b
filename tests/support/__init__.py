"""What tests share: probes, images made from the machine's programs, a daemon to talk to."""
