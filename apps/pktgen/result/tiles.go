package result

// mostTiles is how many tiles fit beside one another.
const mostTiles = 6

// tiles picks the figures that readers look for first.
func tiles(r *Report) []tile {
	var list []tile
	list = append(list, searchTiles(r.Searches)...)
	for _, m := range r.MRR {
		list = append(list, tile{"MRR, " + withFCS(m.Size) + " bytes", PPSText(m.Median),
			"median received at the highest load"})
	}
	if len(r.Trials) == 1 || len(list) == 0 && len(r.Trials) > 0 {
		list = append(list, trialTiles(r.Trials[0])...)
	}
	return list[:min(len(list), mostTiles)]
}

// searchTiles has each goal with the smallest frames, and what the largest take of a link.
func searchTiles(searches []Search) []tile {
	if len(searches) == 0 {
		return nil
	}
	small, large := searches[0].Size, searches[0].Size
	for _, s := range searches {
		if s.Size.Mean < small.Mean {
			small = s.Size
		}
		if s.Size.Mean > large.Mean {
			large = s.Size
		}
	}
	var list []tile
	for _, goal := range goalNames(searches) {
		if b, ok := boundsOf(searches, withFCS(small), goal, func(r Rate) float64 { return r.PPS }); ok {
			list = append(list, tile{goal + ", " + withFCS(small) + " bytes", PPSText(b.mark), "relevant lower bound"})
		}
	}
	if small.Name == large.Name {
		return list
	}
	for _, goal := range goalNames(searches) {
		if b, ok := boundsOf(searches, withFCS(large), goal, func(r Rate) float64 { return r.L1BPS }); ok {
			list = append(list, tile{goal + ", " + withFCS(large) + " bytes", bpsText(b.mark), "on the wire (L1)"})
		}
	}
	return list
}

func trialTiles(t Trial) []tile {
	list := []tile{
		{"Received", PPSText(t.Received.PPS), "of " + PPSText(t.Intended.PPS) + " intended"},
		{"Lost", ratioText(t.LossRatio), countText(t.Lost) + " of " + countText(t.Sent+t.Unsent)},
	}
	for _, s := range t.Streams {
		if l := s.Latency; l != nil && l.Samples > 0 {
			list = append(list,
				tile{"Latency, median", nsText(float64(l.P50)), "stream " + s.Name},
				tile{"Latency, 99th percentile", nsText(float64(l.P99)), "stream " + s.Name})
			break
		}
	}
	return list
}
