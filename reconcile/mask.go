package reconcile

import (
	"regexp"
	"strings"
)

// masked stands for a value that nobody is shown.
const masked = "***"

// secretWords are what the names of leaves with secrets hold. A schema doesn't
// say which leaves are secret; their names do, over all vendors' models.
var secretWords = []string{
	"password", "passwd", "secret", "passphrase", "private-key", "preshared", "pre-shared", "psk",
	"key-string", "auth-key", "authentication-key", "priv-key", "encryption-key", "community-string", "token", "crypt-hash",
}

// secretElement finds the text of an element whose name holds one of the words.
// It works on whole documents, on parts of them, and on their differences.
var secretElement = regexp.MustCompile(`(?i)(<(?:[\w.-]+:)?[\w.-]*(?:` + strings.Join(secretWords, "|") + `)[\w.-]*(?:\s[^<>]*)?>)[^<]+`)

// maskXML hides secrets in XML, or in a difference of it.
func maskXML(text string) string {
	return secretElement.ReplaceAllStringFunc(text, func(found string) string {
		open := secretElement.FindStringSubmatch(found)[1]
		if strings.TrimSpace(found[len(open):]) == "" {
			return found // an element with children
		}
		return open + masked
	})
}

// maskValue hides the value of a leaf whose path says that it is secret.
func maskValue(path, value string) string {
	if value == "" {
		return ""
	}
	leaf := strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])
	leaf, _, _ = strings.Cut(leaf, "[")
	for _, word := range secretWords {
		if strings.Contains(leaf, word) {
			return masked
		}
	}
	return maskXML(value)
}
