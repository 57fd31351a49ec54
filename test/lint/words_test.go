package lint

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A word is one that this project does not use, and the one that it uses.
type word struct {
	pattern string // of what is not written
	example string // that the pattern matches
	use     string
}

// phrases are looked for in comments, strings and documents, whatever their case.
var phrases = []word{
	{`\btell(s|ing)? (you |us |me )?whether\b`, "tells whether", "reports whether"},
	{`^\w+ says whether\b`, "isPort says whether", "reports whether"},
	{`\bnobody\b`, "nobody", "no goroutine, no program, no one else: say who"},
	{`\bsomebody\b`, "somebody", "the peer, another goroutine, the application: say who"},
	{`\bwhoever\b`, "whoever", "the peer, another goroutine, the application: say who"},
	{`\bthat cannot be($|[.,;:)])`, "a value that cannot be", "an invalid value"},
	{`\bworth knowing\b`, "hears what is worth knowing and no error",
		"receives events that are not returned as errors"},
	{`\bis silence\b`, "nil is silence", "nil discards them"},
	{`\bthat leaves them open\b`, "what a Config that leaves them open means", "defaults"},
	{`\bno longer one is sent\b`, "and no longer one is sent", "longer packets are not sent"},
	{`\bmakes an end or a beginning\b`, "what makes an end or a beginning",
		"events that end or begin a connection"},
	{`\bas they said last\b`, "what caches hold is as they said last", "as of their last flush"},
	{`\bhave the \w+ repaired\b`, "have the device repaired", "what the user can do"},
	{`\bwhat happens anyway\b`, "what happens anyway", "the default"},
	{`\bblue moon\b`, "once in a blue moon", "rarely"},
	{`\bin front of the first that has more\b`, "in front of the first that has more",
		"before the first multi-buffer packet"},

	{`\bdoors?\b`, "the door", "the gate"},
	{`\b(un)?hear(s|d|ing)?\b`, "hears of it", "receives, is notified"},
	{`\bdeaf(ness)?\b`, "deaf", "without interrupts"},
	{`\bmuted\b`, "muted", "disabled"},
	{`\brestless\b`, "restless", "does not stay idle"},
	{`\bblam(e|es|ed|ing)\b`, "blames the driver", "records a violation"},
	{`\blament(s|ed|ing)?\b`, "laments", "reports a failure"},
	{`\bforesee\w*|\bforesaw\b`, "foresees", "presets, expects"},
	{`\b(re)?park(s|ed|ing)?\b`, "parks used_event", "defers"},
	{`\brejoin(s|ed|ing)?\b`, "rejoins", "reconnects"},
	{`\bblanked\b`, "blanked", "zeroed"},
}

// names are looked for among the identifiers of Go sources.
var names = []word{
	{`^(d|D)oor([A-Z]\w*)?$|[a-z]Door([A-Z]\w*)?$`, "txDoor", "gate"},
	{`^marksAreExchanges$`, "marksAreExchanges", "atomicMarks"},
	{`^shut$`, "shut", "closed"},
	{`^(terms|agreed|propose\w*)$`, "proposeMTU", "negotiated, current, selectFeatures"},
	{`^(parted|rejoin\w*)$`, "rejoin", "disconnected, reconnect"},
	{`^(adopt\w*|foresee\w*)$`, "adopt", "useCache, presetNumBuffers"},
	{`^(B|b)lank(ed|Header)$`, "Blanked", "HeaderDirty, zeroHeader"},
	{`^(send|reclaim|took)Odd$`, "sendOdd", "sendSlow, reclaimSlow, countPostedSlow"},
	{`^(re)?park\w*$`, "repark", "deferUsedEvent"},
	{`^(FirstPause|LastPause)$`, "LastPause", "MinBackoff, MaxBackoff"},
	{`^NoBufs?$`, "NoBuf", "NoMbuf"},
	{`^(deaf|silence|blame|lament\w*|relieve\w*|restless\w*|muted|Patient|patient)$`, "blame",
		"noInterrupts, noDoorbell, violations, Lossless"},
	{`^numbered$`, "numbered", "seqFrame, or package frametest"},
	{`(N|n)obody|(S|s)omebody|(W|w)hoever`, "isNobody", "say who"},
}

// files are looked for among the names of files.
var files = []word{
	{`(^|/)doors?(_\w+)?\.go$`, "virtq/door_plain.go", "gate"},
	{`^driver/vdev/vhostback/(wire|vrings)\.go$`, "driver/vdev/vhostback/wire.go",
		"message.go, ring.go"},
}

// exempt holds what must name the words.
var exempt = []string{"test/lint/words_test.go"}

// Floors, well below what there is: a search that looks at less looks in the wrong
// place.
const (
	leastTexts     = 10000
	leastDocuments = 3
)

// list is a list of words made ready for a search.
type list []struct {
	word
	re *regexp.Regexp
}

func compile(words []word) list {
	l := make(list, len(words))
	for i, w := range words {
		l[i].word, l[i].re = w, regexp.MustCompile(w.pattern)
	}
	return l
}

// check complains about the words of a text.
func (l list) check(t *testing.T, where, text string) {
	t.Helper()
	for _, w := range l {
		if found := w.re.FindString(text); found != "" {
			t.Errorf("%s has %q; the word is: %s", where, strings.TrimSpace(found), w.use)
		}
	}
}

// TestWords keeps words and phrases out of comments, strings, identifiers, documents
// and the names of files.
func TestWords(t *testing.T) {
	inText, inNames, inFiles := compile(phrases), compile(names), compile(files)
	texts := 0
	for _, s := range sources(t) {
		inFiles.check(t, s.path, s.path)
		if within(s.path, exempt[0]) {
			continue
		}
		at := func(pos token.Pos) string {
			return s.path + ":" + strconv.Itoa(s.fset.Position(pos).Line)
		}
		for _, group := range s.file.Comments {
			texts++
			inText.check(t, at(group.Pos()), plainText(group.Text()))
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					texts++
					inText.check(t, at(n.Pos()), plainText(text))
				}
			case *ast.Ident:
				inNames.check(t, at(n.Pos()), n.Name)
			}
			return true
		})
	}
	if texts < leastTexts {
		t.Errorf("%d comments and strings found; at least %d were expected", texts, leastTexts)
	}
	found := 0
	for path, text := range documents(t) {
		found++
		for i, line := range strings.Split(text, "\n") {
			inText.check(t, path+":"+strconv.Itoa(i+1), plainText(line))
		}
	}
	if found < leastDocuments {
		t.Errorf("%d documents found; at least %d were expected", found, leastDocuments)
	}
}

// TestWordsAreFound checks the lists themselves.
func TestWordsAreFound(t *testing.T) {
	for _, words := range [][]word{phrases, names, files} {
		for _, w := range compile(words) {
			if !w.re.MatchString(w.example) {
				t.Errorf("%s does not match %q", w.pattern, w.example)
			}
			if w.use == "" {
				t.Errorf("%s has nothing to use instead", w.pattern)
			}
		}
	}
}

// plainText makes one line of a text, in lower case.
func plainText(text string) string {
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}

// documents returns the texts of this module's documents and scripts.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		switch filepath.Ext(path) {
		case ".md", ".sh", ".yml", ".yaml":
		default:
			if d.Name() != "Makefile" {
				return nil
			}
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(top, path)
		texts[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
