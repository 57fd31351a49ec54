package traffic

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Size says how long the frames of a stream are, in bytes without FCS. As text it is
//
//	60                      all of that size
//	60,124,252              in turn
//	60-1514                 each size from 60 to 1514 in turn
//	60-1514+64              with a step of 64
//	imix                    60, 590 and 1514 bytes in the ratio 28:16:4, as TRex has it
//	imix:7:4:1              the same three sizes with other weights
//	imix 60:5,1514:1        any sizes with weights
//	genome aafg             as RFC 6985 writes a repeating sequence: a to j are 64, 128, 256,
//	                        512, 1024, 1280, 1518, 2112, 9000 and 16000 bytes with FCS
//
// and "random", or "random seed 7", behind any of these takes the sizes by chance, as often
// as they are in it. The sizes of an imix are spread evenly and their ratio is exact after
// each whole sequence.
type Size struct {
	// Lens are the sizes in the order in which they are sent, over and over again.
	Lens []int
	// Random takes one of Lens by chance for each packet. The same Seed gives the same
	// sizes.
	Random bool
	Seed   uint64

	text string
}

// maxSequence bounds how many sizes a sequence has.
const maxSequence = 1 << 16

var (
	imixLens    = []int{60, 590, 1514}
	imixWeights = []int{28, 16, 4}
	genomeLens  = map[rune]int{'a': 60, 'b': 124, 'c': 252, 'd': 508, 'e': 1020, 'f': 1276,
		'g': 1514, 'h': 2108, 'i': 8996, 'j': 15996}
)

const sizeRemedy = "write 60, 60,590,1514, 60-1514, 60-1514+64, imix, imix 60:7,1514:1 or genome aafg"

// FixedSize returns the Size of frames that all have n bytes.
func FixedSize(n int) Size { return Size{Lens: []int{n}} }

// ParseSize reads the text of a Size. Whether the sizes suit the headers is found out by
// [Stream.Compile].
func ParseSize(text string) (Size, error) {
	s := Size{text: text}
	spec, after, random := strings.Cut(strings.ToLower(text), "random")
	if after = strings.TrimSpace(after); random {
		s.Random = true
		if after != "" {
			seed, ok := strings.CutPrefix(after, "seed ")
			n, err := strconv.ParseUint(strings.TrimSpace(seed), 0, 64)
			if !ok || err != nil {
				return s, fmt.Errorf("%q does not follow random; write random seed 7", after)
			}
			s.Seed = n
		}
	}
	spec = strings.TrimSpace(spec)
	var err error
	switch rest := ""; {
	case cut(spec, "genome", &rest):
		s.Lens, err = parseGenome(rest)
	case cut(spec, "imix", &rest):
		s.Lens, err = parseIMIX(rest)
	default:
		s.Lens, err = parseList(spec)
	}
	if err == nil && len(s.Lens) > maxSequence {
		err = fmt.Errorf("a sequence of %d sizes; there may be %d", len(s.Lens), maxSequence)
	}
	return s, err
}

// cut reports whether s begins with a prefix and stores what follows it.
func cut(s, prefix string, rest *string) (ok bool) {
	if *rest, ok = strings.CutPrefix(s, prefix); ok {
		*rest = strings.TrimSpace(*rest)
	}
	return ok
}

// parseList reads sizes and ranges of sizes.
func parseList(text string) ([]int, error) {
	var lens []int
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		span, stepText, stepped := strings.Cut(item, "+")
		first, last, ranged := strings.Cut(span, "-")
		from, err := parseLen(first)
		if err != nil {
			return nil, err
		}
		to, step := from, 1
		if ranged {
			if to, err = parseLen(last); err != nil {
				return nil, err
			}
		}
		if stepped {
			if step, err = strconv.Atoi(strings.TrimSpace(stepText)); err != nil || step < 1 || !ranged {
				return nil, fmt.Errorf("%q has no step of 1 or more; write it like 60-1514+64", item)
			}
		}
		if to < from {
			return nil, fmt.Errorf("%q goes down; write the smaller size first", item)
		}
		for n := from; n <= to && len(lens) <= maxSequence; n += step {
			lens = append(lens, n)
		}
	}
	return lens, nil
}

// parseLen reads one size.
func parseLen(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no size; %s", text, sizeRemedy)
	case n < MinFrame:
		return 0, fmt.Errorf("%d bytes are less than the %d of the shortest frame without FCS; %s", n, MinFrame,
			"use 60, which is 64 with FCS")
	case n > maxFrame:
		return 0, fmt.Errorf("%d bytes are more than the %d of the longest frame; use a shorter one", n, maxFrame)
	}
	return n, nil
}

// parseIMIX reads what follows imix: nothing, weights, or sizes with weights.
func parseIMIX(text string) ([]int, error) {
	if text == "" {
		return spread(imixLens, imixWeights)
	}
	var lens, weights []int
	if list, ok := strings.CutPrefix(text, ":"); ok {
		for w := range strings.SplitSeq(list, ":") {
			n, err := parseWeight(w)
			if err != nil {
				return nil, err
			}
			weights = append(weights, n)
		}
		if len(weights) != len(imixLens) {
			return nil, fmt.Errorf("%d weights; there are three, for 60, 590 and 1514 bytes, like imix:7:4:1", len(weights))
		}
		return spread(imixLens, weights)
	}
	for item := range strings.SplitSeq(text, ",") {
		size, weight, ok := strings.Cut(item, ":")
		if !ok {
			return nil, fmt.Errorf("%q has no weight; write it like imix 60:7,590:4,1514:1", item)
		}
		n, err := parseLen(size)
		if err != nil {
			return nil, err
		}
		w, err := parseWeight(weight)
		if err != nil {
			return nil, err
		}
		lens, weights = append(lens, n), append(weights, w)
	}
	return spread(lens, weights)
}

func parseWeight(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > maxSequence {
		return 0, fmt.Errorf("%q is no weight; it is a number from 0 to %d", text, maxSequence)
	}
	return n, nil
}

// parseGenome reads a sequence of sizes as RFC 6985 writes it.
func parseGenome(text string) ([]int, error) {
	var lens []int
	for _, letter := range text {
		n, ok := genomeLens[letter]
		if !ok {
			return nil, fmt.Errorf("%q stands for no size; the letters are a to j, like aafg", letter)
		}
		lens = append(lens, n)
	}
	if lens == nil {
		return nil, errors.New("no letters follow genome; write it like genome aafg")
	}
	return lens, nil
}

// spread returns a sequence that has each size as often as its weight says, spread evenly:
// at each place stands the size that is furthest behind its share.
func spread(lens, weights []int) ([]int, error) {
	divisor, total := 0, 0
	for _, w := range weights {
		divisor = gcd(divisor, w)
		total += w
	}
	if total == 0 {
		return nil, errors.New("all weights are 0; give at least one size a weight")
	}
	if total /= divisor; total > maxSequence {
		return nil, fmt.Errorf("weights that add up to %d; they may add up to %d", total, maxSequence)
	}
	sequence, behind := make([]int, total), make([]int, len(lens))
	for i := range sequence {
		for k, w := range weights {
			behind[k] += w / divisor
		}
		next := slices.Index(behind, slices.Max(behind))
		behind[next] -= total
		sequence[i] = lens[next]
	}
	return sequence, nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// String returns the text that the Size was read from, or one that means the same.
func (s Size) String() string {
	if s.text != "" {
		return s.text
	}
	parts := make([]string, len(s.Lens))
	for i, n := range s.Lens {
		parts[i] = strconv.Itoa(n)
	}
	text := strings.Join(parts, ",")
	if s.Random {
		text += fmt.Sprintf(" random seed %d", s.Seed)
	}
	return text
}

// MarshalText implements [encoding.TextMarshaler].
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}
