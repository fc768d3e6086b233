#!/bin/sh
# ptxsim run and stat: results, exit codes, and messages that say what to write instead. Takes the path of the tool.
tool=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# expect CODE TEXT ARGUMENTS...: the tool ends with the code and its output holds the text.
expect() {
    code=$1 text=$2
    shift 2
    output=$("$tool" "$@" 2>&1)
    found=$?
    if [ "$found" -ne "$code" ] || ! printf '%s\n' "$output" | grep -qF -- "$text"; then
        printf 'ptxsim %s\n  ended with %s, expected %s and "%s" in:\n%s\n' "$*" "$found" "$code" "$text" "$output"
        failed=1
    fi
}

cat >"$folder/scale.ptx" <<'PTX'
.version 8.0
.target sm_80
.address_size 64
.file 1 "scale.cu"
.visible .entry scale(.param .u64 out, .param .u64 in, .param .f32 factor, .param .u32 count)
.maxntid 128, 1, 1
{
.reg .pred %p<2>; .reg .b32 %r<8>; .reg .f32 %f<4>; .reg .b64 %rd<8>;
ld.param.u64 %rd1, [out];
ld.param.u64 %rd2, [in];
ld.param.f32 %f1, [factor];
ld.param.u32 %r1, [count];
.loc 1 4 3
mov.u32 %r2, %ctaid.x;
mov.u32 %r3, %ntid.x;
mov.u32 %r4, %tid.x;
mad.lo.u32 %r5, %r2, %r3, %r4;
setp.ge.u32 %p1, %r5, %r1;
@%p1 ret;
mul.wide.u32 %rd3, %r5, 4;
add.u64 %rd4, %rd2, %rd3;
add.u64 %rd5, %rd1, %rd3;
.loc 1 5 3
ld.global.f32 %f2, [%rd4];
mul.rn.f32 %f3, %f2, %f1;
st.global.f32 [%rd5], %f3;
ret;
}
.visible .entry crowded() .maxnreg 2
{
.reg .b32 %r<5>; .reg .b64 %rd<2>;
mov.u32 %r1, %tid.x;
mov.u32 %r2, %tid.y;
mov.u32 %r3, %tid.z;
add.u32 %r4, %r1, %r2;
add.u32 %r4, %r4, %r3;
add.u32 %r4, %r4, %r1;
ret;
}
PTX
cat >"$folder/place.ptx" <<'PTX'
.version 8.0
.target sm_90
.address_size 64
.visible .entry place(.param .u64 out)
{
.reg .b32 %r<4>; .reg .b64 %rd<4>;
ld.param.u64 %rd1, [out];
mov.u32 %r1, %ctaid.x;
mov.u32 %r2, %cluster_ctarank;
mul.wide.u32 %rd2, %r1, 4;
add.u64 %rd3, %rd1, %rd2;
st.global.u32 [%rd3], %r2;
ret;
}
PTX
printf '.version 8.0\n.target sm_80\n.address_size 64\n.entry k() { frobnicate.u32 %%r1; }\n' >"$folder/bad.ptx"
scale="run $folder/scale.ptx scale"

# shellcheck disable=SC2086
{
    expect 0 "argument 0: 0 1.5 3 4.5" $scale --grid 2 --block 64 --arg out:400 --arg ramp:f32:100 --arg f32:1.5 --arg u32:100 --show 0:f32:4
    expect 0 "global_store_bytes                  400" $scale --grid 2 --block 64 --arg out:400 --arg ramp:f32:100 --arg f32:1.5 --arg u32:100
    expect 0 "global_store_bytes                  400" $scale --grid 2 --block 64 --arg out:400 --arg ramp:f32:100 --arg f32:1.5 --arg u32:100 --repeat 3
    expect 0 "argument 0: 0 1 0 1" run "$folder/place.ptx" place --grid 4 --cluster 2 --block 1 --arg out:16 --show 0:u32:4
    expect 2 "a grid of 3 blocks along axis 0 in clusters of 2" run "$folder/place.ptx" place --grid 3 --cluster 2 --block 1 --arg out:16
    expect 1 "from scale.cu:5" $scale --grid 2 --block 64 --arg out:396 --arg ramp:f32:100 --arg f32:1.5 --arg u32:100
    expect 1 "past the end of the 396 bytes" $scale --grid 2 --block 64 --arg out:396 --arg ramp:f32:100 --arg f32:1.5 --arg u32:100
    expect 2 "above its .maxntid of 128" $scale --block 256 --arg out:400 --arg ramp:f32:100 --arg f32:1.5 --arg u32:100
    expect 2 "takes 4 parameters, the command line has 1" $scale --arg out:400
    expect 2 "parameter 2 of kernel 'scale' has 4 bytes, its --arg 8" $scale --arg out:400 --arg ramp:f32:100 --arg f64:1.5 --arg u32:100
    expect 2 "did you mean scale?" run "$folder/scale.ptx" scael
    expect 2 "did you mean --grid?" $scale --gird 2
    expect 2 "did you mean ramp?" $scale --arg rmap:f32:8
    expect 2 "is negative and u32 is not signed; use s32" $scale --arg u32:-1
    expect 2 "expected a whole number from 0 to" $scale --block many
}
expect 2 "cannot be read" run "$folder/none.ptx" k
expect 1 "line 4: there is no instruction 'frobnicate'" run "$folder/bad.ptx" k
expect 1 "line 4: there is no instruction 'frobnicate'" stat "$folder/bad.ptx"
expect 0 ".maxntid            128 threads" stat "$folder/scale.ptx" --kernel scale
expect 0 "occupancy on sm_90" stat "$folder/scale.ptx" --kernel scale
expect 1 "OVER THE BOUND: 3 registers live at once, 2 for each thread" stat "$folder/scale.ptx"
# Where setmaxnreg says how many registers a thread has, the bound is its largest number.
{
    printf '.version 8.0\n.target sm_90a\n.address_size 64\n.entry crowded(.param .u64 p) {\n.reg .b32 %%r<31>;\n.reg .b64 %%rd<2>;\n'
    printf 'setmaxnreg.dec.sync.aligned.u32 24;\nld.param.u64 %%rd1, [p];\n'
    for i in $(seq 1 30); do printf 'ld.global.u32 %%r%d, [%%rd1];\n' "$i"; done
    for i in $(seq 1 30); do printf 'st.global.u32 [%%rd1], %%r%d;\n' "$i"; done
    printf 'ret;\n}\n'
} >"$folder/crowded.ptx"
expect 1 "OVER THE BOUND: 32 registers live at once, 24 for each thread" stat "$folder/crowded.ptx"
sed -i s/dec.sync.aligned.u32\ 24/inc.sync.aligned.u32\ 232/ "$folder/crowded.ptx"
expect 0 "live registers      32 of 232" stat "$folder/crowded.ptx"
expect 2 "has no kernel 'none'" stat "$folder/scale.ptx" --kernel none
expect 2 "a command is missing"
for words in --help help "run --help" "stat $folder/scale.ptx -h"; do
    # shellcheck disable=SC2086
    expect 0 "usage: ptxsim run" $words
done
exit $failed
