using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Family adamw, whole-tensor helpers, scalar arithmetic and transfers.</summary>
internal static partial class KernelBenchmarks
{
    private static Dimension[] Matrix => [RowsOf, ColumnsOf];
    private static Dimension[] SummedMatrix => [new("n", "rows"), new("c", "columns")];

    private static readonly AdamWStep Step = new(1e-3, 0.9, 0.999, 1e-8, 0.01, Decoupled: true, 10);

    private static KernelBenchmark[] AdamW =>
    [
        new("adamw", nameof(Device.AdamW), "one step of (n, c) parameters", Matrix, (o, d) =>
        {
            var (n, c) = (d[0], d[1]);
            var (master, gradient, m) = (o.Filled(BufferKind.State, n, c), o.Filled(BufferKind.State, n, c), o.Filled(BufferKind.State, n, c));
            var v = o.Filled(BufferKind.State, n, c, offset: 2); // a mean of squares: not negative
            var copy = o.Device.SharesMasterWeights ? default : o.Zeroed(BufferKind.Compute, n, c);
            var factor = o.Zeroed(BufferKind.Scalar, 1, 1);
            o.Device.Upload([0.5], factor);
            o.Result("master", master, n, c);
            o.Result("m", m, n, c);
            o.Result("v", v, n, c);
            if (!copy.IsEmpty) o.Result("copy", copy, n, c);
            return () => o.Device.AdamW(master, copy, gradient, m, v, Step, factor);
        }) { SuiteShapes = m => [[m.V, m.C], [m.F, m.C]] },
        new("add_squared_norm", nameof(Device.AddSquaredNorm), "result += sum of squares of a gradient (n, c)", SummedMatrix, (o, d) =>
        {
            var gradient = o.Filled(BufferKind.State, d[0], d[1]);
            var result = o.Zeroed(BufferKind.Scalar, 1, 1);
            o.Result("result", result, 1, 1);
            return () => o.Device.AddSquaredNorm(result, gradient);
        }) { SuiteShapes = m => [[m.F, m.C]] },
        new("clip_factor", nameof(Device.ClipFactor), "norm and clip factor from a sum of squares", [], (o, _) =>
        {
            var (result, squares) = (o.Zeroed(BufferKind.Scalar, 1, 2), o.Zeroed(BufferKind.Scalar, 1, 1));
            o.Device.Upload([9.0], squares);
            o.Result("result", result, 1, 2);
            return () => o.Device.ClipFactor(result, squares, 1, 0.5);
        }) { SuiteShapes = m => m == SuiteModel.All[0] ? [[]] : [] },
    ];

    private static KernelBenchmark[] Elementwise =>
    [
        new("fill", nameof(Device.Fill), "target (n, c) = a value", Matrix, (o, d) =>
        {
            var target = o.Zeroed(BufferKind.Compute, d[0], d[1]);
            o.Result("target", target, d[0], d[1]);
            return () => o.Device.Fill(target, 0.5);
        }) { SuiteShapes = m => [[m.F, m.C]] },
        new("copy", nameof(Device.Copy), "target (n, c) = source, compute from state", Matrix, (o, d) =>
        {
            var (target, source) = (o.Zeroed(BufferKind.Compute, d[0], d[1]), o.Filled(BufferKind.State, d[0], d[1]));
            o.Result("target", target, d[0], d[1]);
            return () => o.Device.Copy(target, source);
        }) { SuiteShapes = m => [[m.F, m.C]] },
        new("add_scaled", nameof(Device.AddScaled), "target (n, c) += factor source", Matrix, (o, d) =>
        {
            var (target, source) = (o.Filled(BufferKind.State, d[0], d[1]), o.Filled(BufferKind.State, d[0], d[1]));
            o.Result("target", target, d[0], d[1]);
            return () => o.Device.AddScaled(target, source, 0.5);
        }) { SuiteShapes = m => [[m.F, m.C]] },
        new("sum_into", nameof(Device.SumInto), "result = constant + factor * sum of (n, c)", SummedMatrix, (o, d) =>
        {
            // The offset keeps the sum from cancelling.
            var (result, values) = (o.Zeroed(BufferKind.Scalar, 1, 1), o.Filled(BufferKind.State, d[0], d[1], offset: 2));
            o.Result("result", result, 1, 1);
            return () => o.Device.SumInto(result, values, 0.5, 1);
        }) { SuiteShapes = m => [[m.F, m.C]] },
        new("ascent_value", nameof(Device.AscentValue), "the ascent and its reciprocal from n loss terms", [new("n", "terms")], (o, d) =>
        {
            var (result, terms) = (o.Zeroed(BufferKind.Scalar, 1, 2), o.Filled(BufferKind.Scalar, 1, d[0], offset: 2));
            o.Result("result", result, 1, 2);
            return () => o.Device.AscentValue(result, terms, d[0].Total, 1);
        }) { SuiteShapes = m => m == SuiteModel.All[0] ? [[6]] : [] },
        new("upload", nameof(Device.Upload), "host floats to a compute tensor (n, c)", SummedMatrix, (o, d) =>
        {
            var values = new float[d[0].Times(d[1].Total).Total];
            int number = o.NextNumber;
            for (int i = 0; i < values.Length; i++) values[i] = Pattern.At(number, 0, i);
            var target = o.Zeroed(BufferKind.Compute, d[0], d[1]);
            o.Result("target", target, d[0], d[1]);
            return () => o.Device.Upload(values, target);
        }) { SuiteShapes = m => [[m.F, m.C]] },
        new("download", nameof(Device.Download), "a compute tensor (n, c) to host floats", SummedMatrix, (o, d) =>
        {
            var values = new float[d[0].Times(d[1].Total).Total];
            var source = o.Filled(BufferKind.Compute, d[0], d[1]);
            o.Result("values", values, d[0].Total, d[1].Total);
            return () => o.Device.Download(source, values.AsSpan());
        }) { SuiteShapes = m => [[m.F, m.C]] },
    ];
}
