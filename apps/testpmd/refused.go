package main

import "github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"

// refused returns the commands of dpdk-testpmd that are not carried out here.
func refused() []grammar.Command {
	var list []grammar.Command
	for _, group := range refusals {
		for _, form := range group.forms {
			list = append(list, grammar.Command{Form: form, Section: group.section, Refused: group.reason})
		}
	}
	return list
}

// refusals are the reasons why commands are not carried out, and the commands of each.
var refusals = []struct {
	section string
	reason  string
	forms   []string
}{
	{inFilters, "a virtio device has no flow table", []string{"flow ...", "set raw_encap ...", "set raw_decap ..."}},
}
