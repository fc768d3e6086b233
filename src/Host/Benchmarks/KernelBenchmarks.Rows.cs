using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Families norm, rotary and swiglu: rows by themselves.</summary>
internal static partial class KernelBenchmarks
{
    private const double Epsilon = 1e-5;
    private const double RopeTheta = 10000;

    private static Dimension Groups => new("groups", "normed groups in a row: 1, or the heads of Qwen3's q and k") { Default = 1 };

    private static Dimension[] Heads => [RowsOf, new("nh", "heads, those of q and k together"), new("hs", "head size") { Least = 2 }];

    private static Dimension[] FeedForward => [RowsOf, new("f", "feed-forward size") { Sample = SampledColumns }];

    private static KernelBenchmark[] Norm =>
    [
        new("rms_norm_forward", nameof(Device.RmsNormForward), "output (n, groups c) = x rstd weight (c)",
            [RowsOf, new("c", "columns of a group"), Groups], (o, d) =>
            {
                var (n, c, g) = (d[0], d[1].Total, d[2].Total);
                int columns = checked(g * c);
                var (x, weight) = (o.Filled(BufferKind.Compute, n, columns), o.Filled(BufferKind.Compute, 1, c));
                var (output, rstd) = (o.Zeroed(BufferKind.Compute, n, columns), o.Zeroed(BufferKind.State, n, g));
                o.Result("output", output, n, columns);
                o.Result("rstd", rstd, n, g);
                return () => o.Device.RmsNormForward(output, rstd, x, weight, Epsilon);
            }) { SuiteShapes = m => [[m.N, m.C, 1], [m.N, m.HeadSize, m.Heads]] },
        new("add_rms_norm_forward", nameof(Device.AddRmsNormForward), "sum (n, groups c) = x + addend, output = sum rstd weight (c)",
            [RowsOf, new("c", "columns of a group"), Groups], (o, d) =>
            {
                var (n, c, g) = (d[0], d[1].Total, d[2].Total);
                int columns = checked(g * c);
                var (x, addend) = (o.Filled(BufferKind.Compute, n, columns), o.Filled(BufferKind.Compute, n, columns));
                var weight = o.Filled(BufferKind.Compute, 1, c);
                var (output, sum) = (o.Zeroed(BufferKind.Compute, n, columns), o.Zeroed(BufferKind.Compute, n, columns));
                var rstd = o.Zeroed(BufferKind.State, n, g);
                o.Result("output", output, n, columns);
                o.Result("sum", sum, n, columns);
                o.Result("rstd", rstd, n, g);
                return () => o.Device.AddRmsNormForward(output, sum, rstd, x, addend, weight, Epsilon);
            }) { SuiteShapes = m => [[m.N, m.C, 1]] },
        new("rms_norm_backward", nameof(Device.RmsNormBackward), "dX (n, groups c) += ..., dWeight (c) += ...",
            [new("n", "rows"), new("c", "columns of a group"), Groups], (o, d) =>
            {
                var (n, c, g) = (d[0].Total, d[1].Total, d[2].Total);
                int columns = checked(g * c);
                var (x, weight) = (o.Filled(BufferKind.Compute, n, columns), o.Filled(BufferKind.Compute, 1, c));
                var (output, rstd) = (o.Zeroed(BufferKind.Compute, n, columns), o.Zeroed(BufferKind.State, n, g));
                o.Device.RmsNormForward(output, rstd, x, weight, Epsilon);
                var (dOutput, dX) = (o.Filled(BufferKind.Compute, n, columns), o.Filled(BufferKind.Compute, n, columns));
                var dWeight = o.Filled(BufferKind.State, 1, c);
                o.Result("dX", dX, n, columns);
                o.Result("dWeight", dWeight, 1, c);
                return () => o.Device.RmsNormBackward(dX, dWeight, dOutput, x, weight, rstd, accumulate: true);
            }) { SuiteShapes = m => [[m.N, m.C, 1], [m.N, m.HeadSize, m.Heads]] },
    ];

    private static KernelBenchmark[] Rotary =>
    [
        new("rotary", nameof(Device.Rotary), "x (n, nh hs) turned in place by position", Heads, (o, d) => Turn(o, d, inverse: false))
        {
            SuiteShapes = m => [[m.N, m.Heads + m.KeyValueHeads, m.HeadSize]],
        },
        new("rotary_inverse", nameof(Device.Rotary), "x (n, nh hs) turned back in place: the backward", Heads, (o, d) => Turn(o, d, inverse: true))
        {
            SuiteShapes = m => [[m.N, m.Heads + m.KeyValueHeads, m.HeadSize]],
        },
    ];

    private static KernelBenchmark[] Swiglu =>
    [
        new("swiglu_forward", nameof(Device.SwigluForward), "output (n, f) = silu(gate) up", FeedForward, (o, d) =>
        {
            var (n, f) = (d[0], d[1]);
            var (gate, up) = (o.Filled(BufferKind.Compute, n, f), o.Filled(BufferKind.Compute, n, f));
            var output = o.Zeroed(BufferKind.Compute, n, f);
            o.Result("output", output, n, f);
            return () => o.Device.SwigluForward(output, gate, up);
        }) { SuiteShapes = m => [[m.N, m.F]] },
        new("swiglu_backward", nameof(Device.SwigluBackward), "dGate (n, f), dUp (n, f) from dOutput, gate and up", FeedForward, (o, d) =>
        {
            var (n, f) = (d[0], d[1]);
            var (gate, up) = (o.Filled(BufferKind.Compute, n, f), o.Filled(BufferKind.Compute, n, f));
            var dOutput = o.Filled(BufferKind.Compute, n, f);
            var (dGate, dUp) = (o.Zeroed(BufferKind.Compute, n, f), o.Zeroed(BufferKind.Compute, n, f));
            o.Result("dGate", dGate, n, f);
            o.Result("dUp", dUp, n, f);
            return () => o.Device.SwigluBackward(dGate, dUp, dOutput, gate, up);
        }) { SuiteShapes = m => [[m.N, m.F]] },
    ];

    private static Action Turn(Operands o, Extent[] d, bool inverse)
    {
        var (n, columns, headSize) = (d[0], checked(d[1].Total * d[2].Total), d[2].Total);
        const int Positions = 512;
        var (cosines, sines) = RotaryTables.Build(RotaryTables.Frequencies(headSize, RopeTheta), Positions);
        var x = o.Filled(BufferKind.Compute, n, columns);
        var cos = o.Zeroed(BufferKind.State, Positions, headSize / 2);
        var sin = o.Zeroed(BufferKind.State, Positions, headSize / 2);
        o.Device.Upload(cosines, cos);
        o.Device.Upload(sines, sin);
        var positions = o.Numbers([.. Enumerable.Range(n.Start, n.Count).Select(i => i % Positions)]);
        o.Result("x", x, n, columns);
        return () => o.Device.Rotary(x, cos, sin, positions, inverse);
    }
}
