package service

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// commits is a committer that says what it is asked.
type commits struct{ asked chan CommitRequest }

func (c commits) Commit(_ context.Context, r CommitRequest) (CommitResult, error) {
	if c.asked != nil {
		c.asked <- r
	}
	if r.Instance == "ssh-users[bad]" {
		return CommitResult{}, errors.New("d2 refuses <it>")
	}
	return CommitResult{Devices: []string{"d1"}, Diff: map[string]string{"d2": "+ b", "d1": "- <a>\n+ <b>\n"}}, nil
}

func commitOf(actions, push, source, instance string) string {
	s := `<controller-commit xmlns="http://clicon.org/controller"><device>*</device><push>` + push + `</push><actions>` + actions + `</actions>`
	if instance != "" {
		s += `<service-instance>` + instance + `</service-instance>`
	}
	return s + `<source>ds:` + source + `</source></controller-commit>`
}

func TestCommitOfAnOperator(t *testing.T) {
	t.Parallel()
	asked := make(chan CommitRequest, 10)
	s := serve(t, Options{Committer: commits{asked}})
	watcher, c := dial(t, s.path), dial(t, s.path)
	watcher.subscribe("controller-transaction", "")
	c.subscribe("controller-transaction", "")
	for i, r := range []struct {
		op   string
		want CommitRequest
		end  string
	}{
		{commitOf("CHANGE", "COMMIT", "candidate", ""), CommitRequest{Actions: "CHANGE", Push: "COMMIT"}, "<result>SUCCESS</result>"},
		{commitOf("NONE", "COMMIT", "running", ""), CommitRequest{Actions: "NONE", Push: "COMMIT"}, "<result>SUCCESS</result>"},
		{commitOf("FORCE", "NONE", "candidate", "ssh-users[service-name='ops']"), CommitRequest{Actions: "FORCE", Push: "NONE", Instance: "ssh-users[ops]"}, "<result>SUCCESS</result>"},
		{commitOf("FORCE", "COMMIT", "candidate", "ssh-users[bad]"), CommitRequest{Actions: "FORCE", Push: "COMMIT", Instance: "ssh-users[bad]"}, "<result>FAILED</result><origin>controller</origin><reason>d2 refuses &lt;it&gt;</reason>"},
	} {
		r.want.TID, r.want.User, r.want.Devices = uint64(i+1), "root", []string{"*"}
		tid := `<tid xmlns="http://clicon.org/controller">` + string(rune('1'+i)) + `</tid>`
		if got := c.call(r.op); got != `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">`+tid+`</rpc-reply>` {
			t.Fatalf("the reply is %s", got)
		}
		want := `<notification xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><eventTime>TIME</eventTime><controller-transaction xmlns="http://clicon.org/controller"><tid>` + string(rune('1'+i)) + `</tid><username>root</username>` + r.end + `</controller-transaction></notification>`
		for _, reader := range []*client{c, watcher} {
			if got := timeless(reader.read()); got != want {
				t.Errorf("the end is\n%s, want\n%s", got, want)
			}
		}
		if got := <-asked; !reflect.DeepEqual(got, r.want) {
			t.Errorf("%+v is asked, want %+v", got, r.want)
		}
		if i == 2 {
			if got := c.call(`<datastore-diff xmlns="http://clicon.org/controller"/>`); !strings.Contains(got, `<diff xmlns="http://clicon.org/controller">d1:`+"\n- &lt;a&gt;\n+ &lt;b&gt;\nd2:\n+ b\n</diff>") {
				t.Errorf("the diff is %s", got)
			}
		}
	}
	got := timeless(c.call(`<get cl:content="nonconfig"><nc:filter nc:type="xpath" nc:select="/co:transactions/co:transaction[co:tid='4']" xmlns:co="http://clicon.org/controller"/></get>`))
	if want := `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><data><transactions xmlns="http://clicon.org/controller"><transaction><tid>4</tid><username>root</username><result>FAILED</result><reason>d2 refuses &lt;it&gt;</reason><state>DONE</state><description>Controller commit actions:FORCE push:COMMIT</description><origin>controller</origin><timestamp0>TIME</timestamp0><timestamp>TIME</timestamp></transaction></transactions></data></rpc-reply>`; got != want {
		t.Errorf("its record is\n%s, want\n%s", got, want)
	}
}
