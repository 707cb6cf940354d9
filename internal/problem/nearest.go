package problem

import "strings"

// Nearest gives the known word that a word is a near miss of, or "". Case and
// the signs that people put between the words of a name don't count; of a short
// word less may be wrong than of a long one.
func Nearest(word string, known []string) string {
	bare := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(word))
	best, least := "", 1<<30
	for _, k := range known {
		lower := strings.ReplaceAll(strings.ToLower(k), "-", "")
		limit := 2
		switch n := min(len(lower), len(bare)); {
		case n <= 2:
			limit = 0
		case n <= 5:
			limit = 1
		}
		if d := distance(bare, lower, limit); d <= limit && d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment). Beyond limit it may
// give any larger number.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
