// Package vhost tests the vhost-user front end against back ends of other projects,
// and the back end against their drivers: dpdk-testpmd with net_vhost, and with
// net_virtio_user. Each test starts the processes that it needs and
// ends them by their own ids. There is nothing to set up but the packages that
// scripts/deps.sh installs: neither side uses hugepages.
package vhost
