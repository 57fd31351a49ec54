package result

import "time"

// Unknown stands where something could not be read: a report leaves nothing out.
const Unknown = "unknown"

// Identity says which program made the report, and when. CollectIdentity fills it in.
type Identity struct {
	Tool       string `json:"tool"`
	Version    string `json:"version"`
	Commit     string `json:"commit"` // of the program; with "+modified" if the work tree had changes
	GoVersion  string `json:"go_version"`
	Platform   string `json:"platform"` // "linux/amd64"
	GOMAXPROCS int    `json:"gomaxprocs"`
	GOGC       string `json:"gogc"`       // as debug.SetGCPercent takes it, or "off"
	GOMEMLIMIT string `json:"gomemlimit"` // bytes, or "off"
	// CommandLine is the command and its arguments.
	CommandLine []string `json:"command_line,omitempty"`
	// ScenarioName is the file; ScenarioSHA256 the hash of its content. Both are empty
	// if the traffic was given by flags alone.
	ScenarioName   string    `json:"scenario_name,omitempty"`
	ScenarioSHA256 string    `json:"scenario_sha256,omitempty"`
	Start          time.Time `json:"start"` // UTC
	End            time.Time `json:"end"`   // UTC
}
