package spec

import (
	"slices"
	"strings"
	"time"
)

// A directive reads one value into the unit: with errIgnore it had no effect,
// with errMeaning it can't be honoured. A nil one is ignored without harm. What
// has none at all can't be honoured, a misspelt name too: it may be anything.
type directive func(b *builder, value string) error

var directives = map[string]map[string]directive{"Unit": unitDirectives(), "Service": serviceDirectives()}

func unitDirectives() map[string]directive {
	t := map[string]directive{
		// What these name is read by units.DepsOf.
		"After": names(nil), "Before": names(nil), "Wants": names(nil), "PartOf": names(nil),
		"Requires": names(needed), "BindsTo": names(needed),
		// Conflicts= with what is never here (a target) says nothing.
		"Conflicts": names(func(name string) error {
			if builtIn(name) {
				return errIgnore
			}
			return errMeaning
		}),
		"StartLimitIntervalSec": span(func(s *Service) *time.Duration { return &s.StartInterval }),
		"StartLimitBurst":       number(func(s *Service) *int { return &s.StartBurst }, 0, 1<<30),
		"StopWhenUnneeded":      off, "FailureAction": onlyIgnored("none"), "SuccessAction": onlyIgnored("none"), "StartLimitAction": onlyIgnored("none"),
	}
	for _, kind := range []string{"PathExists", "PathExistsGlob", "PathIsDirectory", "PathIsSymbolicLink", "PathIsReadWrite", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable"} {
		t["Condition"+kind], t["Assert"+kind] = condition(kind, false), condition(kind, true)
	}
	t["StartLimitInterval"] = t["StartLimitIntervalSec"] // the old spelling
	// What is for people; what is for targets and isolation; mounts, which stand
	// before the agent does.
	ignored(t, `Description Documentation SourcePath DefaultDependencies IgnoreOnIsolate AllowIsolate RefuseManualStart RefuseManualStop
		CollectMode RequiresMountsFor WantsMountsFor SurviveFinalKillSignal`)
	return t
}

func serviceDirectives() map[string]directive {
	t := map[string]directive{
		"Type": setType,

		"ExecCondition": commands(func(s *Service) *[]Command { return &s.ExecConditions }),
		"ExecStartPre":  commands(func(s *Service) *[]Command { return &s.Pre }),
		"ExecStart":     commands(func(s *Service) *[]Command { return &s.Start }),
		"ExecStartPost": commands(func(s *Service) *[]Command { return &s.Post }),
		"ExecStop":      commands(func(s *Service) *[]Command { return &s.Stop }),
		"ExecStopPost":  commands(func(s *Service) *[]Command { return &s.StopPost }),
		"ExecReload":    commands(func(s *Service) *[]Command { return &s.Reload }),

		"Environment": environment, "EnvironmentFile": environmentFile,
		"PassEnvironment":  words(func(s *Service) *[]string { return &s.Pass }),
		"UnsetEnvironment": words(func(s *Service) *[]string { return &s.Unset }),

		"WorkingDirectory":    workingDirectory,
		"User":                text(func(s *Service) *string { return &s.User }),
		"Group":               text(func(s *Service) *string { return &s.Group }),
		"SupplementaryGroups": words(func(s *Service) *[]string { return &s.Groups }),
		"UMask":               umask,

		"StandardInput":  onlyIgnored("null", ""),
		"StandardOutput": output(func(s *Service) *Output { return &s.Stdout }, "log"),
		"StandardError":  output(func(s *Service) *Output { return &s.Stderr }, "inherit"),

		"Restart":                  oneOf(func(s *Service) *string { return &s.Restart }, "no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"),
		"RestartSec":               span(func(s *Service) *time.Duration { return &s.RestartSec }),
		"SuccessExitStatus":        exits(func(s *Service) *Exits { return &s.Success }),
		"RestartPreventExitStatus": exits(func(s *Service) *Exits { return &s.RestartPrevent }),
		"RestartForceExitStatus":   exits(func(s *Service) *Exits { return &s.RestartForce }),
		"RemainAfterExit":          boolean(func(s *Service) *bool { return &s.RemainAfter }),

		"KillMode":        oneOf(func(s *Service) *string { return &s.KillMode }, "control-group", "mixed", "process", "none"),
		"KillSignal":      signal(func(s *Service) *int { return &s.KillSignal }),
		"FinalKillSignal": signal(func(s *Service) *int { return &s.FinalSignal }),
		"WatchdogSignal":  signal(func(s *Service) *int { return &s.WatchdogSignal }),
		"SendSIGHUP":      boolean(func(s *Service) *bool { return &s.SendHUP }),
		"SendSIGKILL":     boolean(func(s *Service) *bool { return &s.SendKill }),

		"TimeoutSec": timeouts, "TimeoutStartSec": timeoutStart,
		"TimeoutStopSec": span(func(s *Service) *time.Duration { return &s.TimeoutStop }),
		"RuntimeMaxSec":  span(func(s *Service) *time.Duration { return &s.RuntimeMax }),
		"WatchdogSec":    span(func(s *Service) *time.Duration { return &s.Watchdog }),
		"NotifyAccess":   oneOf(func(s *Service) *string { return &s.NotifyAccess }, "none", "main", "exec", "all"),

		"Nice": nice, "OOMScoreAdjust": oomScore,
		"NoNewPrivileges": boolean(func(s *Service) *bool { return &s.NoNewPrivs }),
		"IgnoreSIGPIPE":   ignorePipe,

		"TimeoutStartFailureMode": onlyIgnored("terminate"), "TimeoutStopFailureMode": onlyIgnored("terminate"),
		"ExitType": onlyIgnored("main"), "FileDescriptorStoreMax": onlyIgnored("0"), "KeyringMode": onlyIgnored("inherit"),
		"ProtectSystem": off, "ProtectHome": off, "ProtectProc": onlyIgnored("default"), "ProcSubset": onlyIgnored("all"),
		"DevicePolicy": onlyIgnored("auto"), "RestrictNamespaces": off,
	}
	for _, name := range []string{"StartLimitInterval", "StartLimitBurst", "StartLimitAction"} { // where they once stood
		t[name] = unitDirectives()[name]
	}
	for name := range limitKinds {
		t["Limit"+name] = func(b *builder, value string) error { return b.limit(name, value) }
	}
	for name := range strings.FieldsSeq(`DynamicUser PrivateTmp PrivateDevices PrivateNetwork PrivateUsers PrivateMounts PrivateIPC ProtectKernelTunables
		ProtectKernelModules ProtectKernelLogs ProtectControlGroups ProtectClock ProtectHostname LockPersonality MemoryDenyWriteExecute RestrictRealtime
		RestrictSUIDSGID RemoveIPC Delegate NonBlocking RootDirectoryStartOnly PermissionsStartOnly TTYReset TTYVHangup MountAPIVFS CPUSchedulingResetOnFork`) {
		t[name] = off
	}
	// Weights and priorities among the units of a machine, accounting, names in
	// logs, and what belongs to types that are refused: without them a service
	// does the same.
	ignored(t, `CPUWeight CPUShares StartupCPUWeight StartupCPUShares IOWeight StartupIOWeight BlockIOWeight IOSchedulingClass IOSchedulingPriority
		MemoryMin MemoryLow CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting Slice OOMPolicy TimerSlackNSec
		SyslogIdentifier SyslogFacility SyslogLevel SyslogLevelPrefix LogLevelMax LogRateLimitIntervalSec LogRateLimitBurst LogExtraFields
		UtmpIdentifier UtmpMode GuessMainPID PIDFile TimeoutAbortSec ManagedOOMSwap ManagedOOMMemoryPressure ManagedOOMPreference CoredumpReceive`)
	return t
}

func ignored(t map[string]directive, names string) {
	for name := range strings.FieldsSeq(names) {
		t[name] = nil
	}
}

// off accepts a directive that says no; said yes it can't be honoured.
func off(_ *builder, value string) error {
	if v, err := ParseBool(value); value == "" || err == nil && !v {
		return errIgnore
	}
	return errMeaning
}

// onlyIgnored accepts the values that ask for what is so anyway.
func onlyIgnored(values ...string) directive {
	return func(_ *builder, value string) error {
		if slices.Contains(values, value) {
			return errIgnore
		}
		return errMeaning
	}
}

// names checks a list of units; check judges each, if it isn't nil.
func names(check func(string) error) directive {
	return func(b *builder, value string) error {
		list, err := b.words(value)
		for i := 0; i < len(list) && err == nil && check != nil; i++ {
			err = check(list[i])
		}
		return err
	}
}

// needed judges a unit that must be there: services are started here, what the
// machine has anyway needs nothing, and anything else never comes.
func needed(name string) error {
	if strings.HasSuffix(name, ".service") || builtIn(name) {
		return nil
	}
	return errMeaning
}

// builtIn says that the unit is of a type which stands for a stage of the boot
// or a part of the machine that was there before the agent.
func builtIn(name string) bool {
	return slices.ContainsFunc([]string{".target", ".slice", ".mount", ".swap"}, func(s string) bool { return strings.HasSuffix(name, s) })
}
