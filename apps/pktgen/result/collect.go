package result

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
)

// NewIdentity describes this program, which was started with args (os.Args), as of now.
// The caller sets End, and calls SetScenario if there is one.
func NewIdentity(tool string, args []string) Identity {
	return Identity{
		Tool:        tool,
		Version:     version.String(),
		Commit:      commit(debug.ReadBuildInfo()),
		GoVersion:   runtime.Version(),
		Platform:    runtime.GOOS + "/" + runtime.GOARCH,
		GOMAXPROCS:  runtime.GOMAXPROCS(0),
		GOGC:        limitText("/gc/gogc:percent", math.MaxInt32),
		GOMEMLIMIT:  limitText("/gc/gomemlimit:bytes", math.MaxInt64-1),
		CommandLine: slices.Clone(args),
		Start:       time.Now().UTC(),
	}
}

// SetScenario records the scenario file by its name and the hash of its content.
func (id *Identity) SetScenario(name string, content []byte) {
	sum := sha256.Sum256(content)
	id.ScenarioName, id.ScenarioSHA256 = name, hex.EncodeToString(sum[:])
}

// commit returns the revision that the Go command recorded in the build.
func commit(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return Unknown
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+modified"
		}
	}
	if revision == "" {
		return Unknown
	}
	return revision + modified
}

// limitText returns a setting of the Go runtime as it is now, whether it came from the
// environment or the program; "off" above the highest value that has a meaning.
func limitText(metric string, highest uint64) string {
	sample := []metrics.Sample{{Name: metric}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return Unknown
	}
	if v := sample[0].Value.Uint64(); v <= highest {
		return strconv.FormatUint(v, 10)
	}
	return "off"
}
