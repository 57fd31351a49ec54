package traffic

import (
	"strconv"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
)

// Pattern says how the packets of a stream follow one another at its rate. The zero value
// is continuous.
type Pattern struct {
	Kind    string `yaml:"kind" json:"kind,omitempty" default:"continuous" oneof:"continuous burst multi-burst poisson" doc:"continuous, burst (packets once), multi-burst or poisson"`
	Packets uint64 `yaml:"packets" json:"packets,omitempty" doc:"packets of a burst"`
	Count   uint64 `yaml:"count" json:"count,omitempty" doc:"of multi-burst: how many bursts; 0: without end"`
	Gap     string `yaml:"gap" json:"gap,omitempty" doc:"of multi-burst: time between bursts, like 10us or 1ms"`
	Seed    uint64 `yaml:"seed" json:"seed,omitempty" doc:"of poisson: the same seed gives the same gaps"`
}

// pace returns the pattern as package pace has it.
func (p Pattern) pace() (pace.Pattern, error) {
	bad := func(field, value, reason, remedy string) (pace.Pattern, error) {
		return pace.Pattern{}, &Error{Field: "pattern." + field, Value: value, Reason: reason, Remedy: remedy}
	}
	kind := p.Kind
	if kind == "" {
		kind = "continuous"
	}
	burst := kind == "burst" || kind == "multi-burst"
	switch {
	case !burst && kind != "continuous" && kind != "poisson":
		return bad("kind", kind, "unknown", "use one of continuous, burst, multi-burst, poisson")
	case burst && p.Packets == 0:
		return bad("packets", "", "a burst of no packets", "give their number, like packets: 64")
	case !burst && p.Packets != 0:
		return bad("packets", strconv.FormatUint(p.Packets, 10), "it means nothing for "+kind, "leave it out")
	case kind != "multi-burst" && p.Count != 0:
		return bad("count", strconv.FormatUint(p.Count, 10), "it means nothing for "+kind, "leave it out, or use multi-burst")
	case kind != "multi-burst" && p.Gap != "":
		return bad("gap", p.Gap, "it means nothing for "+kind, "leave it out, or use multi-burst")
	case kind != "poisson" && p.Seed != 0:
		return bad("seed", strconv.FormatUint(p.Seed, 10), "it means nothing for "+kind, "leave it out, or use poisson")
	}
	switch kind {
	case "burst":
		return pace.Burst(p.Packets), nil
	case "poisson":
		return pace.Pattern{Kind: pace.Poisson, Seed: p.Seed}, nil
	case "multi-burst":
		gap, err := time.ParseDuration(p.Gap)
		if err != nil || gap <= 0 {
			return bad("gap", p.Gap, "not a time above 0", "write it like 10us or 1ms")
		}
		return pace.MultiBurst(p.Packets, p.Count, gap), nil
	}
	return pace.Pattern{}, nil
}
