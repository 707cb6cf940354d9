// Package process makes units true on a machine without systemd: a container, a
// laptop. It knows unit files, what of them plain processes can honour (package
// spec), and how to start a supervisor for each unit and to find it again
// (package supervisor). It never knows where a unit comes from or why it is
// wanted, nor Git, nor HTTP.
//
// Services of the types simple, exec, oneshot and notify can be run; templates
// are placed. A unit that asks for anything which would change its meaning and
// which can't be honoured gets units.ErrNotSupported, naming the directive (see
// [Check]): it is placed, so that it can be seen, and never started, and where
// it runs already with other content it stays as it is, on disk too.
//
// Each running unit has a supervisor of its own, a process in a session of its
// own, which the agent neither waits for nor takes along: stopping, crashing or
// upgrading the agent touches no unit, and the next one finds supervisors by
// their pid and start time and sends them signals. A supervisor that is killed
// without notice is replaced by one that goes on with its unit. Units do end
// when their surroundings do:
//   - in a container, with the container's PID 1: the kernel then kills all,
//     without their ExecStop=;
//   - under a service manager, with the agent's own service, unless that says
//     KillMode=process: other modes end everything that the agent ever started;
//   - with the machine. Nothing starts them again but the agent, so [Install]
//     has no other effect than that a placed unit counts as enabled.
//
// Of the dependencies within and beyond a batch, After= and Before= order;
// Requires=, BindsTo= and Wants= pull in what is placed; a stop or restart takes
// along what Requires=, BindsTo= or PartOf= tie to the unit. BindsTo= ends there:
// a unit that dies by itself doesn't take another along.
package process
