// Command testimage makes the test images and prints the name of one, for the
// Makefile and the demo. It knows nothing that package testimage doesn't.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/abide-agent/abide/internal/testimage"
)

func main() {
	variant := flag.String("v", "cmd", "which variant's `name` to print: cmd, entry, user, named, nohome or none")
	flag.StringVar(variant, "t", "cmd", "the same as -v")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	images, err := testimage.Ensure(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testimage:", err)
		os.Exit(1)
	}
	name, ok := images.All()[*variant]
	if !ok {
		fmt.Fprintf(os.Stderr, "testimage: there is no variant %q; use cmd, entry, user, named, nohome or none\n", *variant)
		os.Exit(2)
	}
	fmt.Println(name)
}
