package spec

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limitKinds are the resources of setrlimit(2) with what their numbers are.
var limitKinds = map[string]struct {
	resource int
	read     func(string) (uint64, error)
}{
	"CPU":        {unix.RLIMIT_CPU, seconds(time.Second)},
	"FSIZE":      {unix.RLIMIT_FSIZE, size},
	"DATA":       {unix.RLIMIT_DATA, size},
	"STACK":      {unix.RLIMIT_STACK, size},
	"CORE":       {unix.RLIMIT_CORE, size},
	"RSS":        {unix.RLIMIT_RSS, size},
	"NOFILE":     {unix.RLIMIT_NOFILE, count},
	"AS":         {unix.RLIMIT_AS, size},
	"NPROC":      {unix.RLIMIT_NPROC, count},
	"MEMLOCK":    {unix.RLIMIT_MEMLOCK, size},
	"LOCKS":      {unix.RLIMIT_LOCKS, count},
	"SIGPENDING": {unix.RLIMIT_SIGPENDING, count},
	"MSGQUEUE":   {unix.RLIMIT_MSGQUEUE, size},
	"NICE":       {unix.RLIMIT_NICE, niceLimit},
	"RTPRIO":     {unix.RLIMIT_RTPRIO, count},
	"RTTIME":     {unix.RLIMIT_RTTIME, seconds(time.Microsecond)},
}

func (b *builder) limit(name, value string) error {
	kind := limitKinds[name]
	limits := &b.out.Service.Limits
	for i, l := range *limits {
		if l.Resource == kind.resource {
			*limits = append((*limits)[:i], (*limits)[i+1:]...)
			break
		}
	}
	if value == "" {
		return nil
	}
	soft, hard, both := strings.Cut(value, ":")
	if !both {
		hard = soft
	}
	l := Limit{Resource: kind.resource}
	var err error
	if l.Soft, err = kind.read(soft); err != nil {
		return err
	}
	if l.Hard, err = kind.read(hard); err != nil {
		return err
	}
	if l.Soft > l.Hard {
		return errors.New("the soft limit is above the hard one; write soft:hard")
	}
	*limits = append(*limits, l)
	return nil
}

func count(s string) (uint64, error) {
	if s == "infinity" {
		return math.MaxUint64, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errors.New("it is no limit; write a number or infinity")
	}
	return n, nil
}

// size reads bytes, with the suffixes K to E to the base of 1024.
func size(s string) (uint64, error) {
	number, factor := s, 1.0
	if i := strings.IndexByte("KMGTPE", lastByte(strings.TrimSuffix(s, "B"))); i >= 0 && len(s) > 1 {
		number, factor = strings.TrimSuffix(s, "B"), math.Pow(1024, float64(i+1))
		number = number[:len(number)-1]
	}
	if factor == 1 {
		return count(strings.TrimSuffix(s, "B"))
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || f < 0 || f*factor >= math.MaxUint64 {
		return 0, errors.New("it is no size; write bytes, a number with K, M, G or T, or infinity")
	}
	return uint64(f * factor), nil
}

func lastByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

// seconds reads a time span in units of the resource; a bare number is one in
// those units already.
func seconds(unit time.Duration) func(string) (uint64, error) {
	return func(s string) (uint64, error) {
		if n, err := count(s); err == nil {
			return n, nil
		}
		d, err := ParseSpan(s)
		if err != nil {
			return 0, err
		}
		return uint64((d + unit - 1) / unit), nil
	}
}

// niceLimit reads a signed nice level, or the kernel's own 1 to 40.
func niceLimit(s string) (uint64, error) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		n, err := bounded(s, -20, 19)
		return uint64(20 - n), err
	}
	return count(s)
}
