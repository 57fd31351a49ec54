package traffic

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

// lengths returns the lengths of n packets of a stream with sizes.
func lengths(t *testing.T, size string, o Options, n int) (p *Program, list []int) {
	t.Helper()
	s := Flows(60, 1)
	var err error
	if s.Size, err = ParseSize(size); err != nil {
		t.Fatal(err)
	}
	p = compiled(t, s, o)
	data := make([]byte, p.MaxLen())
	for range n {
		list = append(list, p.Next(data, 0))
	}
	return p, list
}

// TestSizes: packets have the sizes of the text in its order.
func TestSizes(t *testing.T) {
	for text, want := range map[string][]int{
		"60":                    {60, 60},
		"1514, 60":              {1514, 60, 1514},
		"60-63":                 {60, 61, 62, 63, 60},
		"60-100+20,1514":        {60, 80, 100, 1514, 60},
		"60-99+20":              {60, 80, 60},
		"genome aafg":           {60, 60, 1276, 1514, 60},
		"genome bcdeh":          {124, 252, 508, 1020, 2108, 124},
		"imix:1:1:1":            {60, 590, 1514, 60},
		"imix 60:3, 1514:1":     {60, 60, 1514, 60, 60},
		"IMIX:0:2:0":            {590, 590},
		"imix 100:1,60:1,100:1": {100, 60, 100, 100},
		"genome ij":             {8996, 15996, 8996},
		"65549":                 {65549},
	} {
		p, got := lengths(t, text, Options{}, len(want))
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
		if p.MinLen() != slices.Min(want) || p.MaxLen() != slices.Max(want) {
			t.Errorf("%s: from %d to %d", text, p.MinLen(), p.MaxLen())
		}
	}
}

// TestIMIX: the ratio is exact after each sequence, which is spread evenly, and the mean
// length is that of the mix.
func TestIMIX(t *testing.T) {
	for text, weights := range map[string]map[int]int{
		"imix":                     {60: 7, 590: 4, 1514: 1},
		"imix:28:16:4":             {60: 7, 590: 4, 1514: 1},
		"imix:7:4:1":               {60: 7, 590: 4, 1514: 1},
		"imix 60:58,570:33,1514:9": {60: 58, 570: 33, 1514: 9},
		"imix 60:1000,1514:1":      {60: 1000, 1514: 1},
	} {
		period, bytes := 0, 0
		for n, w := range weights {
			period += w
			bytes += n * w
		}
		p, got := lengths(t, text, Options{}, 5*period)
		for round := range 5 {
			count := map[int]int{}
			for i, n := range got[round*period:][:period] {
				count[n]++
				// At each place a size is there as often as its share, to one packet or so.
				if share := float64(weights[n]) * float64(i+1) / float64(period); math.Abs(float64(count[n])-share) > 1.01 {
					t.Fatalf("%s: %d packets of %d bytes after %d", text, count[n], n, i+1)
				}
			}
			for n, w := range weights {
				if count[n] != w {
					t.Errorf("%s, sequence %d: %d packets of %d bytes, want %d", text, round, count[n], n, w)
				}
			}
		}
		if want := float64(bytes) / float64(period); p.MeanLen() != want {
			t.Errorf("%s: mean length %v, want %v", text, p.MeanLen(), want)
		}
	}
}

// TestRandomSizes: the same seed gives the same sizes, and each comes as often as it is in
// the list.
func TestRandomSizes(t *testing.T) {
	_, a := lengths(t, "imix random seed 7", Options{}, 12000)
	_, b := lengths(t, "imix random seed 7", Options{}, 12000)
	_, c := lengths(t, "imix random seed 8", Options{}, 12000)
	_, d := lengths(t, "imix random seed 7", Options{Queue: 1}, 12000)
	if !slices.Equal(a, b) || slices.Equal(a, c) || slices.Equal(a, d) {
		t.Error("seeds")
	}
	count := map[int]int{}
	for _, n := range a {
		count[n]++
	}
	for n, want := range map[int]int{60: 7000, 590: 4000, 1514: 1000} {
		if got := count[n]; got < want*9/10 || got > want*11/10 {
			t.Errorf("%d packets of %d bytes, want about %d", got, n, want)
		}
	}
}

// TestTexts: what values are written as is read back, so that a report has what was sent.
func TestTexts(t *testing.T) {
	s := Stream{
		Packet:  Layers{Default[Ethernet](), IPv4{Checksum: ChecksumWrong}, TCP{Flags: 0x12}, Raw{Bytes: Hex{1, 2}}},
		Size:    Size{Lens: []int{60, 61}, Random: true, Seed: 3},
		Payload: Payload{Kind: PayloadBytes, Bytes: Hex("hi")},
		Track:   TrackOn,
	}
	for _, v := range []any{s.Size, s.Payload, Payload{Kind: PayloadRandom, Seed: 4}, Payload{Kind: PayloadKeep}, s.Track} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		switch v := v.(type) {
		case Size:
			var back Size
			if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back.Lens, v.Lens) || back.Seed != v.Seed || !back.Random {
				t.Errorf("%s: %+v, %v", text, back, err)
			}
		case Payload:
			var back Payload
			if err := json.Unmarshal(text, &back); err != nil || back.Kind != v.Kind || back.Seed != v.Seed || string(back.Bytes) != string(v.Bytes) {
				t.Errorf("%s: %+v, %v", text, back, err)
			}
		case Track:
			var back Track
			if err := json.Unmarshal(text, &back); err != nil || back != v {
				t.Errorf("%s: %+v, %v", text, back, err)
			}
		}
	}
	text, err := json.Marshal(s)
	want := `{"port":0,"pattern":{},"packet":[{"ethernet":{"dst":"02:00:00:00:00:01","src":"02:00:00:00:00:aa"`
	if err != nil || string(text[:len(want)]) != want {
		t.Errorf("%s, %v", text, err)
	}
}
