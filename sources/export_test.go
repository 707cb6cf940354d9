package sources

// SetMaxPacks makes a clone pile up fewer packs, so that a test needs to push
// less often.
func (g *Git) SetMaxPacks(n int) { g.clone.most = n }
