;; The guest of the host's tests. What it does is chosen by the first letter of a topic, filter, user name or client id:
;;   a allow (keep, done)   d deny (drop)   n next   e err "down"   t trap   l loop for ever   m take all memory
;;   c allow, to be reused for a minute   v the same for every topic of "v/#"   x deny, to be reused for a minute
;;   b answer what the contract has no word for   h claim a string of 2 GiB   g allow if an identity is gone
;;   w wait for HTTP, then allow (waiting guests)
;;   i allow if WASI is inert, that is if it denies what it has to and clock, chance and output work (wasi guests)
;; Sections between ;;[NAME and ;;] are there if the guest is built with NAME.
(module
  ;;[authn
  (import "midge:plugin/connection@0.1.0" "[resource-drop]connect" (func $drop_connect (param i32)))
  ;;]
  ;;[enhanced-authn
  (import "midge:plugin/connection@0.1.0" "[resource-drop]connect" (func $let_go (param i32)))
  ;;]
  ;;[http
  (import "midge:plugin/http@0.1.0" "send"
    (func $http_send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  ;;]
  ;;[wasi
  (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
  (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))
  (import "wasi:sockets/tcp-create-socket@0.2.3" "create-tcp-socket" (func $socket (param i32 i32)))
  (import "wasi:clocks/wall-clock@0.2.3" "now" (func $now (param i32)))
  (import "wasi:random/random@0.2.3" "get-random-u64" (func $chance (result i64)))
  (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush"
    (func $print (param i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $in (param i64) (result i32)))
  (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.3" "[method]pollable.ready" (func $ready (param i32) (result i32)))
  (import "wasi:io/poll@0.2.3" "poll" (func $poll (param i32 i32 i32)))
  ;;]
  (memory (export "memory") 2)
  (data (i32.const 0) "down")
  (data (i32.const 8) "next/#")
  (data (i32.const 16) "v/#")
  (data (i32.const 24) "replaced")
  (data (i32.const 32) "GET")
  (data (i32.const 40) "METHOD")
  (data (i32.const 64) "@URL@")
  (global $free (mut i32) (i32.const 1024))
  (global $gone (mut i64) (i64.const 0))

  ;; Never frees within a call; each call begins with an empty heap (see $begin).
  (func $alloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (loop $grow
      (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
        (then
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
          (br $grow))))
    (local.get $at))

  ;; Zeroed room for an answer.
  (func $answer (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (local.get $size)))
    (memory.fill (local.get $at) (i32.const 0) (local.get $size))
    (local.get $at))

  (func $spin (loop $for_ever (br $for_ever)))

  (func $hoard (loop $more (drop (memory.grow (i32.const 16))) (br $more)))

  ;; The ways to go wrong that every function has.
  (func $misbehave (param $how i32)
    (if (i32.eq (local.get $how) (i32.const 116 (;t;))) (then unreachable))
    (if (i32.eq (local.get $how) (i32.const @BROKEN@)) (then unreachable))
    (if (i32.eq (local.get $how) (i32.const 108 (;l;))) (then (call $spin)))
    (if (i32.eq (local.get $how) (i32.const 109 (;m;))) (then (call $hoard))))

  ;; Whether the answer is err, and if so writes it: discriminant at $at, text at $at + $text.
  (func $failed (param $how i32) (param $at i32) (param $text i32) (result i32)
    (if (i32.eq (local.get $how) (i32.const 101 (;e;)))
      (then
        (i32.store8 (local.get $at) (i32.const 1))
        (i32.store (i32.add (local.get $at) (local.get $text)) (i32.const 0))
        (i32.store (i32.add (i32.add (local.get $at) (local.get $text)) (i32.const 4)) (i32.const 4))
        (return (i32.const 1))))
    (if (i32.eq (local.get $how) (i32.const 104 (;h;)))
      (then
        (i32.store8 (local.get $at) (i32.const 1))
        (i32.store (i32.add (local.get $at) (local.get $text)) (i32.const 0))
        (i32.store (i32.add (i32.add (local.get $at) (local.get $text)) (i32.const 4)) (i32.const 0x7fffffff))
        (return (i32.const 1))))
    (i32.const 0))

  ;;[lifecycle
  (func (export "midge:plugin/lifecycle@0.1.0#init") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $at i32) (local $how i32)
    (local.set $at (call $answer (i32.const 16)))
    (local.set $how (i32.const @INIT@))
    (call $misbehave (local.get $how))
    (if (i32.eqz (call $failed (local.get $how) (local.get $at) (i32.const 4)))
      (then (i32.store8 offset=12 (local.get $at) (i32.const 1))))
    (local.get $at))
  (func (export "midge:plugin/lifecycle@0.1.0#health") (result i32) (call $answer (i32.const 12)))
  (func (export "midge:plugin/lifecycle@0.1.0#shutdown") (call $misbehave (i32.const @SHUTDOWN@)))
  ;;]

  ;;[authz
  ;; Permissions for client ids that begin with one letter: whatever is below next/.
  (func (export "midge:plugin/authz@0.1.0#permissions")
    (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $at i32) (local $how i32) (local $list i32)
    (local.set $at (call $answer (i32.const 16)))
    (if (i32.eqz (local.get 2)) (then (return (local.get $at))))
    (local.set $how (i32.load8_u (local.get 1)))
    (call $misbehave (local.get $how))
    (if (call $failed (local.get $how) (local.get $at) (i32.const 4)) (then (return (local.get $at))))
    (if (i32.eq (local.get $how) (i32.const @PERMISSIONS@))
      (then
        (local.set $list (call $answer (i32.const 16)))
        (i32.store8 offset=1 (local.get $list) (i32.const 3))
        (i32.store offset=4 (local.get $list) (i32.const 8))
        (i32.store offset=8 (local.get $list) (i32.const 6))
        (i32.store8 offset=12 (local.get $list) (i32.const 2))
        (i32.store8 offset=4 (local.get $at) (i32.const 1))
        (i32.store offset=8 (local.get $at) (local.get $list))
        (i32.store offset=12 (local.get $at) (i32.const 1))))
    (local.get $at))

  ;; Writes a ruling of 40 bytes.
  (func $rule (param $how i32) (param $at i32)
    (i32.store8 offset=1 (local.get $at) (i32.const 2))
    (if (i32.or (i32.eq (local.get $how) (i32.const 100 (;d;))) (i32.eq (local.get $how) (i32.const 120 (;x;))))
      (then (i32.store8 (local.get $at) (i32.const 1))))
    (if (i32.eq (local.get $how) (i32.const 110 (;n;))) (then (i32.store8 (local.get $at) (i32.const 2))))
    (if (i32.eq (local.get $how) (i32.const 98 (;b;))) (then (i32.store8 (local.get $at) (i32.const 77))))
    (if (i32.and (i32.eq (local.get $how) (i32.const 103 (;g;))) (i64.eqz (global.get $gone)))
      (then (i32.store8 (local.get $at) (i32.const 1))))
    (if (i32.or
          (i32.eq (local.get $how) (i32.const 118 (;v;)))
          (i32.or (i32.eq (local.get $how) (i32.const 99 (;c;))) (i32.eq (local.get $how) (i32.const 120 (;x;)))))
      (then (i32.store offset=4 (local.get $at) (i32.const 60000))))
    (if (i32.eq (local.get $how) (i32.const 118 (;v;)))
      (then
        (i32.store8 offset=8 (local.get $at) (i32.const 1))
        (i32.store offset=12 (local.get $at) (i32.const 16))
        (i32.store offset=16 (local.get $at) (i32.const 3)))))

  (func (export "midge:plugin/authz@0.1.0#authorize-publish")
    (param $who i64) (param $topic i32) (param $length i32) (param $qos i32) (param $retain i32) (result i32)
    (local $at i32) (local $how i32)
    (local.set $at (call $answer (i32.const 48)))
    (local.set $how (i32.load8_u (local.get $topic)))
    (call $misbehave (local.get $how))
    ;;[http
    (if (i32.eq (local.get $how) (i32.const 119 (;w;))) (then (call $wait)))
    ;;]
    ;;[wasi
    (if (i32.eq (local.get $how) (i32.const 105 (;i;)))
      (then (if (i32.eqz (call $inert)) (then (local.set $how (i32.const 100 (;d;)))))))
    ;;]
    (if (i32.eqz (call $failed (local.get $how) (local.get $at) (i32.const 4)))
      (then (call $rule (local.get $how) (i32.add (local.get $at) (i32.const 4)))))
    (local.get $at))
  (func (export "cabi_post_midge:plugin/authz@0.1.0#authorize-publish") (param i32)
    (global.set $free (i32.const 1024)))

  (func (export "midge:plugin/authz@0.1.0#authorize-subscribe")
    (param $who i64) (param $list i32) (param $length i32) (result i32)
    (local $at i32) (local $rulings i32) (local $index i32) (local $how i32)
    (local.set $at (call $answer (i32.const 12)))
    (local.set $rulings (call $answer (i32.mul (local.get $length) (i32.const 40))))
    (i32.store offset=4 (local.get $at) (local.get $rulings))
    (i32.store offset=8 (local.get $at) (local.get $length))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $index) (local.get $length)))
        (local.set $how (i32.load8_u (i32.load (i32.add (local.get $list) (i32.mul (local.get $index) (i32.const 24))))))
        (call $misbehave (local.get $how))
        (br_if $done (call $failed (local.get $how) (local.get $at) (i32.const 4)))
        (call $rule (local.get $how) (i32.add (local.get $rulings) (i32.mul (local.get $index) (i32.const 40))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $each)))
    (local.get $at))

  (func (export "midge:plugin/authz@0.1.0#identity-gone") (param $who i64)
    (global.set $gone (local.get $who)))
  ;;]

  ;;[authz-deliver
  ;; Writes a ruling of 20 bytes.
  (func $rule_delivery (param $how i32) (param $at i32)
    (if (i32.or (i32.eq (local.get $how) (i32.const 100 (;d;))) (i32.eq (local.get $how) (i32.const 120 (;x;))))
      (then (i32.store8 (local.get $at) (i32.const 1))))
    (if (i32.eq (local.get $how) (i32.const 110 (;n;))) (then (i32.store8 (local.get $at) (i32.const 2))))
    (if (i32.or
          (i32.eq (local.get $how) (i32.const 118 (;v;)))
          (i32.or (i32.eq (local.get $how) (i32.const 99 (;c;))) (i32.eq (local.get $how) (i32.const 120 (;x;)))))
      (then (i32.store offset=4 (local.get $at) (i32.const 60000))))
    (if (i32.eq (local.get $how) (i32.const 118 (;v;)))
      (then
        (i32.store8 offset=8 (local.get $at) (i32.const 1))
        (i32.store offset=12 (local.get $at) (i32.const 16))
        (i32.store offset=16 (local.get $at) (i32.const 3)))))

  ;; Deliveries have 48 bytes. "p" allows what has a publisher that is here.
  (func (export "midge:plugin/authz-deliver@0.1.0#authorize-deliver")
    (param $who i64) (param $list i32) (param $length i32) (result i32)
    (local $at i32) (local $rulings i32) (local $index i32) (local $how i32) (local $one i32)
    (local.set $at (call $answer (i32.const 12)))
    (local.set $rulings (call $answer (i32.mul (local.get $length) (i32.const 20))))
    (i32.store offset=4 (local.get $at) (local.get $rulings))
    (i32.store offset=8 (local.get $at) (local.get $length))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $index) (local.get $length)))
        (local.set $one (i32.add (local.get $list) (i32.mul (local.get $index) (i32.const 48))))
        (local.set $how (i32.load8_u (i32.load (local.get $one))))
        (call $misbehave (local.get $how))
        ;; One answer too few.
        (if (i32.eq (local.get $how) (i32.const 98 (;b;)))
          (then (i32.store offset=8 (local.get $at) (i32.sub (local.get $length) (i32.const 1)))))
        ;;[http
        (if (i32.eq (local.get $how) (i32.const 119 (;w;))) (then (call $wait)))
        ;;]
        (if (i32.and (i32.eq (local.get $how) (i32.const 112 (;p;)))
              (i32.eqz (i32.and (i32.load8_u offset=8 (local.get $one)) (i32.load8_u offset=24 (local.get $one)))))
          (then (local.set $how (i32.const 100 (;d;)))))
        (br_if $done (call $failed (local.get $how) (local.get $at) (i32.const 4)))
        (call $rule_delivery (local.get $how) (i32.add (local.get $rulings) (i32.mul (local.get $index) (i32.const 20))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $each)))
    (local.get $at))
  (func (export "cabi_post_midge:plugin/authz-deliver@0.1.0#authorize-deliver") (param i32)
    (global.set $free (i32.const 1024)))
  ;;]

  ;;[http
  (func $wait
    (call $http_send (i32.const 32) (i32.const 3) (i32.const 64) (i32.const @URL_LENGTH@) (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 60000) (call $answer (i32.const 64))))
  ;;]

  ;;[wasi
  (func $inert (result i32)
    (local $at i32) (local $timer i32)
    (local.set $at (call $answer (i32.const 64)))
    ;; No variables, no directories.
    (call $environment (local.get $at))
    (if (i32.load offset=4 (local.get $at)) (then (return (i32.const 0))))
    (call $directories (local.get $at))
    (if (i32.load offset=4 (local.get $at)) (then (return (i32.const 0))))
    ;; A socket is access-denied.
    (call $socket (i32.const 0) (local.get $at))
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 1)) (then (return (i32.const 0))))
    (if (i32.ne (i32.load8_u offset=4 (local.get $at)) (i32.const 1)) (then (return (i32.const 0))))
    ;; It is later than 2020, and chance does not repeat itself.
    (call $now (local.get $at))
    (if (i64.lt_u (i64.load (local.get $at)) (i64.const 1577836800)) (then (return (i32.const 0))))
    (if (i64.eq (call $chance) (call $chance)) (then (return (i32.const 0))))
    ;; What is printed is taken.
    (call $print (call $stdout) (i32.const 24) (i32.const 8) (local.get $at))
    (if (i32.load8_u (local.get $at)) (then (return (i32.const 0))))
    ;; An hour passes at once.
    (local.set $timer (call $in (i64.const 3600000000000)))
    (call $block (local.get $timer))
    (if (i32.eqz (call $ready (local.get $timer))) (then (return (i32.const 0))))
    (i32.store offset=32 (local.get $at) (local.get $timer))
    (call $poll (i32.add (local.get $at) (i32.const 32)) (i32.const 1) (local.get $at))
    (i32.eq (i32.load offset=4 (local.get $at)) (i32.const 1)))
  ;;]

  ;;[authn
  (func (export "midge:plugin/authn@0.1.0#authenticate") (param $in i32) (result i32)
    (local $at i32) (local $how i32)
    (local.set $at (call $answer (i32.const 192)))
    (call $drop_connect (i32.load offset=64 (local.get $in)))
    (if (i32.eqz (i32.load8_u offset=8 (local.get $in)))
      (then (i32.store8 offset=8 (local.get $at) (i32.const 2)) (return (local.get $at))))
    (local.set $how (i32.load8_u (i32.load offset=12 (local.get $in))))
    (call $misbehave (local.get $how))
    ;;[http
    (if (i32.eq (local.get $how) (i32.const 119 (;w;))) (then (call $wait)))
    ;;]
    (if (call $failed (local.get $how) (local.get $at) (i32.const 8)) (then (return (local.get $at))))
    (if (i32.eq (local.get $how) (i32.const 110 (;n;)))
      (then (i32.store8 offset=8 (local.get $at) (i32.const 2)) (return (local.get $at))))
    (if (i32.eq (local.get $how) (i32.const 100 (;d;)))
      (then
        (i32.store8 offset=8 (local.get $at) (i32.const 1))
        (i32.store8 offset=16 (local.get $at) (i32.const 0x86))
        (return (local.get $at))))
    ;; The principal is the user name.
    (i32.store offset=16 (local.get $at) (i32.load offset=12 (local.get $in)))
    (i32.store offset=20 (local.get $at) (i32.load offset=16 (local.get $in)))
    (local.get $at))
  ;;]

  ;;[enhanced-authn
  ;; One method, "METHOD". What a step leads to is chosen by its data: c challenge, with the data as the state; f allow, and
  ;; the principal is the state; z challenge with 1 MiB of state; otherwise as above, and the principal is the data.
  (func (export "midge:plugin/enhanced-authn@0.1.0#methods") (result i32)
    (local $at i32) (local $list i32)
    (local.set $at (call $answer (i32.const 8)))
    (local.set $list (call $answer (i32.const 8)))
    (i32.store (local.get $list) (i32.const 40))
    (i32.store offset=4 (local.get $list) (i32.const 6))
    (i32.store (local.get $at) (local.get $list))
    (i32.store offset=4 (local.get $at) (i32.const 1))
    (local.get $at))
  (func (export "midge:plugin/enhanced-authn@0.1.0#start") (param $in i32) (result i32)
    (call $let_go (i32.load offset=96 (local.get $in)))
    (call $step (i32.const 0) (i32.const 0) (i32.load offset=88 (local.get $in)) (i32.load offset=92 (local.get $in))))
  (func (export "midge:plugin/enhanced-authn@0.1.0#proceed") (param $in i32) (result i32)
    (call $let_go (i32.load offset=104 (local.get $in)))
    (call $step
      (i32.load offset=84 (local.get $in)) (i32.load offset=88 (local.get $in))
      (i32.load offset=96 (local.get $in)) (i32.load offset=100 (local.get $in))))
  (func $step (param $state i32) (param $state_length i32) (param $data i32) (param $length i32) (result i32)
    (local $at i32) (local $how i32)
    (local.set $at (call $answer (i32.const 160)))
    (local.set $how (i32.load8_u (local.get $data)))
    (call $misbehave (local.get $how))
    (if (call $failed (local.get $how) (local.get $at) (i32.const 8)) (then (return (local.get $at))))
    (if (i32.eq (local.get $how) (i32.const 99 (;c;)))
      (then
        (i32.store offset=28 (local.get $at) (local.get $data))
        (i32.store offset=32 (local.get $at) (local.get $length))
        (return (local.get $at))))
    (if (i32.eq (local.get $how) (i32.const 122 (;z;)))
      (then
        (i32.store offset=28 (local.get $at) (call $answer (i32.const 1048576)))
        (i32.store offset=32 (local.get $at) (i32.const 1048576))
        (return (local.get $at))))
    (if (i32.eq (local.get $how) (i32.const 100 (;d;)))
      (then
        (i32.store8 offset=8 (local.get $at) (i32.const 2))
        (i32.store8 offset=16 (local.get $at) (i32.const 0x86))
        (return (local.get $at))))
    (i32.store8 offset=8 (local.get $at) (i32.const 1))
    (if (i32.eq (local.get $how) (i32.const 102 (;f;)))
      (then (local.set $data (local.get $state)) (local.set $length (local.get $state_length))))
    (i32.store offset=16 (local.get $at) (local.get $data))
    (i32.store offset=20 (local.get $at) (local.get $length))
    (local.get $at))
  ;;]

  ;;[messages
  (func (export "midge:plugin/messages@0.1.0#on-publish") (param $list i32) (param $length i32) (result i32)
    (local $at i32) (local $action i32) (local $index i32) (local $how i32)
    (local.set $at (call $answer (i32.const 12)))
    (local.set $action (call $answer (i32.mul (local.get $length) (i32.const 76))))
    (i32.store offset=4 (local.get $at) (local.get $action))
    (i32.store offset=8 (local.get $at) (local.get $length))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $index) (local.get $length)))
        (local.set $how
          (i32.load8_u (i32.load offset=24 (i32.add (local.get $list) (i32.mul (local.get $index) (i32.const 96))))))
        (call $misbehave (local.get $how))
        (br_if $done (call $failed (local.get $how) (local.get $at) (i32.const 4)))
        ;; r: replaced by an empty message for "replaced".
        (if (i32.eq (local.get $how) (i32.const 114 (;r;)))
          (then
            (i32.store8 (local.get $action) (i32.const 1))
            (i32.store offset=4 (local.get $action) (i32.const 24))
            (i32.store offset=8 (local.get $action) (i32.const 8))))
        ;; d: dropped.
        (if (i32.eq (local.get $how) (i32.const 100 (;d;))) (then (i32.store8 (local.get $action) (i32.const 3))))
        ;; f: refused as of a wrong format.
        (if (i32.eq (local.get $how) (i32.const 102 (;f;)))
          (then
            (i32.store8 (local.get $action) (i32.const 4))
            (i32.store8 offset=4 (local.get $action) (i32.const 0x99))))
        ;; b: replaced by a message without a topic.
        (if (i32.eq (local.get $how) (i32.const 98 (;b;))) (then (i32.store8 (local.get $action) (i32.const 1))))
        (local.set $action (i32.add (local.get $action) (i32.const 76)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $each)))
    (local.get $at))
  ;;]

  ;;[ticker
  ;; A turn is broken by k.
  (func (export "midge:plugin/ticker@0.1.0#tick") (result i32)
    (call $misbehave (i32.const 107 (;k;)))
    (call $answer (i32.const 12)))
  ;;]

  ;;[sink
  (func (export "midge:plugin/sink@0.1.0#deliver") (param $list i32) (param $length i32) (result i32)
    (local $at i32)
    (local.set $at (call $answer (i32.const 12)))
    (i32.store offset=4 (local.get $at) (call $answer (i32.mul (local.get $length) (i32.const 12))))
    (i32.store offset=8 (local.get $at) (local.get $length))
    (local.get $at))
  (func (export "midge:plugin/sink@0.1.0#flush") (result i32) (call $answer (i32.const 12)))
  ;;]
)
