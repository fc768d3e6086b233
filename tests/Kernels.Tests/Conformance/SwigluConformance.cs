using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family swiglu.</summary>
public abstract class SwigluConformance : Conformance
{
    // silu(gate) is a quotient by a sum with an exponential in it: an exponential within two units is good enough.
    private const double Ulps = 4;

    /// <summary>Rows, columns.</summary>
    public static TheoryData<int, int> Shapes => new() { { 7, 64 }, { 1, 1 }, { 5, 123 }, { 123, 5 }, { 33, 257 }, { 0, 8 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_gates(int rows, int columns) => Forward(501, bench =>
    {
        var gate = bench.Input("gate", BufferKind.Compute, rows, columns, 3);
        var up = bench.Input("up", BufferKind.Compute, rows, columns);
        var output = bench.Written("output", BufferKind.Compute, rows, columns, ulps: Ulps);
        bench.Device.SwigluForward(output, gate, up);
    });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Backward_reaches_gate_and_up(int rows, int columns) => Backward(502, bench =>
    {
        var gate = bench.Input("gate", BufferKind.Compute, rows, columns, 3);
        var up = bench.Input("up", BufferKind.Compute, rows, columns);
        var dOutput = bench.Input("dOutput", BufferKind.Compute, rows, columns);
        var dGate = bench.Written("dGate", BufferKind.Compute, rows, columns, ulps: Ulps);
        var dUp = bench.Written("dUp", BufferKind.Compute, rows, columns, ulps: Ulps);
        bench.Device.SwigluBackward(dGate, dUp, dOutput, gate, up);
    });

    [Theory]
    [InlineData(5, 123)]
    [InlineData(33, 64)]
    public void Backward_may_overwrite_gate_and_up(int rows, int columns) => Backward(503, bench =>
    {
        var gate = bench.Updated("gate", BufferKind.Compute, rows, columns, 3, ulps: Ulps);
        var up = bench.Updated("up", BufferKind.Compute, rows, columns, ulps: Ulps);
        var dOutput = bench.Input("dOutput", BufferKind.Compute, rows, columns);
        bench.Device.SwigluBackward(gate, up, dOutput, gate, up);
    });

    [Fact]
    public void Gates_beyond_the_exponential_saturate()
    {
        double[] gates = [0, -0.0, 20, -20, 87, -87, 89, -89, 104, -104, 1000, -1000, 1e30, -1e30, 1e-30, -1e-30];
        Forward(504, bench =>
        {
            var gate = bench.Input("gate", BufferKind.Compute, 1, gates.Length, gates);
            var up = bench.Input("up", BufferKind.Compute, 1, gates.Length);
            var outputs = gates.Select((_, i) => bench.Written($"output of {gates[i]}", BufferKind.Compute, 1, 1, magnitude: 1e-36, ulps: Ulps));
            var output = bench.Scratch("output", BufferKind.Compute, 1, gates.Length);
            bench.Device.SwigluForward(output, gate, up);
            // Each is judged alone: beside 1e30 any error would be small.
            foreach (var (single, i) in outputs.ToArray().Select((tensor, i) => (tensor, i)))
                bench.Device.Copy(single, output.ColumnRange(i, 1));
        });
    }

    [Fact]
    public void Not_a_number_and_infinity_pass_through() => Backward(505, bench =>
    {
        var gates = bench.Gaussians(41);
        (gates[1], gates[17], gates[40]) = (double.NaN, double.PositiveInfinity, double.NegativeInfinity);
        var gate = bench.Input("gate", BufferKind.Compute, 1, 41, gates);
        var ups = bench.Gaussians(41);
        (ups[3], ups[20]) = (double.NaN, double.PositiveInfinity);
        var up = bench.Input("up", BufferKind.Compute, 1, 41, ups);
        var dOutput = bench.Input("dOutput", BufferKind.Compute, 1, 41);
        var output = bench.Written("output", BufferKind.Compute, 1, 41, ulps: Ulps);
        var dGate = bench.Written("dGate", BufferKind.Compute, 1, 41, ulps: Ulps);
        var dUp = bench.Written("dUp", BufferKind.Compute, 1, 41, ulps: Ulps);
        bench.Device.SwigluForward(output, gate, up);
        bench.Device.SwigluBackward(dGate, dUp, dOutput, gate, up);
    });
}
