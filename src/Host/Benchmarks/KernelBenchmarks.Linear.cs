using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Families matmul and embedding.</summary>
internal static partial class KernelBenchmarks
{
    private const int SampledRows = 8;
    private const int SampledColumns = 32;

    private static Dimension RowsOf => new("n", "rows") { Sample = SampledRows };
    private static Dimension ColumnsOf => new("c", "columns") { Sample = SampledColumns };

    private static Dimension[] Product =>
    [
        new("m", "rows of the result") { Sample = SampledRows },
        new("n", "columns of the result") { Sample = SampledColumns },
        new("k", "terms of each sum"),
    ];

    private static KernelBenchmark[] Matmul =>
    [
        new("matmul", nameof(Device.Matmul), "C (m, n) = A (m, k) B (n, k)^T: a linear layer", Product,
            (o, d) => Multiply(o, d, MatmulForm.NT))
        {
            SuiteShapes = m => [[m.N, m.C, m.C], [m.N, m.F, m.C], [m.N, m.C, m.F], [1, m.F, m.C]],
        },
        new("matmul_bias", nameof(Device.Matmul), "C (m, n) = A (m, k) B (n, k)^T + bias (n)", Product,
            (o, d) => Multiply(o, d, MatmulForm.NT, bias: true)) { SuiteShapes = m => [[m.N, m.C, m.C]] },
        new("matmul_nn", nameof(Device.Matmul), "C (m, n) = A (m, k) B (k, n): a linear layer's dX", Product,
            (o, d) => Multiply(o, d, MatmulForm.NN)) { SuiteShapes = m => [[m.N, m.C, m.C], [m.N, m.C, m.F], [m.N, m.F, m.C]] },
        new("matmul_tn", nameof(Device.Matmul), "C (m, n) += A (k, m)^T B (k, n): a linear layer's dW", Product,
            (o, d) => Multiply(o, d, MatmulForm.TN, accumulate: true))
        {
            SuiteShapes = m => [[m.C, m.C, m.N], [m.F, m.C, m.N], [m.C, m.F, m.N]],
        },
        new("bias_backward", nameof(Device.BiasBackward), "dBias (c) += sum over n of dOutput (n, c)", [new("n", "rows"), ColumnsOf],
            (o, d) =>
            {
                var (n, c) = (d[0], d[1]);
                var dBias = o.Filled(BufferKind.State, 1, c);
                var dOutput = o.Filled(BufferKind.Compute, n, c);
                o.Result("dBias", dBias, 1, c);
                return () => o.Device.BiasBackward(dBias, dOutput);
            }) { SuiteShapes = m => [[m.N, m.C]] },
    ];

    private static KernelBenchmark[] Embedding =>
    [
        new("gather_rows", nameof(Device.GatherRows), "output (n, c) = table (v, c)[rows (n)]", [RowsOf, ColumnsOf, new("v", "rows of the table")],
            (o, d) =>
            {
                var (n, c, v) = (d[0], d[1], d[2]);
                var table = o.Filled(BufferKind.Compute, v, c);
                var rows = RandomRows(o, n, v.Total);
                var output = o.Zeroed(BufferKind.Compute, n, c);
                o.Result("output", output, n, c);
                return () => o.Device.GatherRows(output, table, rows);
            }) { SuiteShapes = m => [[m.N, m.C, m.V]] },
        new("scatter_add_rows", nameof(Device.ScatterAddRows), "dTable (v, c)[rows (n)] += dOutput (n, c)",
            [new("n", "rows"), ColumnsOf, new("v", "rows of the table")],
            (o, d) =>
            {
                var (n, c, v) = (d[0], d[1], d[2]);
                var dTable = o.Filled(BufferKind.State, v, c);
                var rows = RandomRows(o, n, v.Total);
                var dOutput = o.Filled(BufferKind.Compute, n, c);
                o.Result("dTable", dTable, v, c);
                return () => o.Device.ScatterAddRows(dTable, dOutput, rows, 0.5);
            }) { SuiteShapes = m => [[m.N, m.C, m.V]] },
    ];

    private static Action Multiply(Operands o, Extent[] d, MatmulForm form, bool accumulate = false, bool bias = false)
    {
        var (m, n, k) = (d[0], d[1], d[2]);
        var a = form == MatmulForm.TN ? o.Filled(BufferKind.Compute, k, m) : o.Filled(BufferKind.Compute, m, k);
        var b = form == MatmulForm.NT ? o.Filled(BufferKind.Compute, n, k) : o.Filled(BufferKind.Compute, k, n);
        var row = bias ? o.Filled(BufferKind.Compute, 1, n) : default;
        var c = accumulate ? o.Filled(BufferKind.State, m, n) : o.Zeroed(BufferKind.Compute, m, n);
        o.Result("c", c, m, n);
        return () => o.Device.Matmul(c, a, b, form, accumulate, row);
    }

    private static Indices RandomRows(Operands o, Extent n, int limit)
    {
        int number = o.NextNumber;
        return o.Numbers([.. Enumerable.Range(n.Start, n.Count).Select(i => Pattern.IndexAt(number, i, limit))]);
    }
}
