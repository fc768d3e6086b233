using RepNoise.Kernels.Reference;
using Xunit.Sdk;

namespace RepNoise.Kernels.Tests.Support;

/// <summary>The harness finds what it is there to find.</summary>
public sealed class HarnessTests
{
    [Theory]
    [InlineData(Layout.Dense, -1)]
    [InlineData(Layout.Dense, 12)]
    [InlineData(Layout.Strided, 4)]
    [InlineData(Layout.Strided, 8)]
    public void Write_outside_a_tensor_is_found(Layout layout, int element) => Fails("is no output", layout, (bench, output) =>
    {
        bench.Device.Fill(output, 1);
        bench.Device.Fill(Tensor.Of(output.Buffer, 1, 1, output.Offset + element), 1);
    });

    [Fact]
    public void Write_to_an_input_is_found() => Fails("changed from", Layout.Dense, (bench, output) =>
    {
        bench.Device.Fill(output, 1);
        bench.Device.Fill(bench.Input("x", BufferKind.Compute, 2, 2), 1);
    });

    [Theory]
    [InlineData(1e-5)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Wrong_element_is_named(double error)
    {
        using var device = ReferenceDevices.Create("reference:float32");
        double[] right = [1, 2, 3, 4, 5, 6], wrong = [1, 2, 3, 4, 5 + error, 6];
        var found = Assert.Throws<FailException>(() => Budget.Check(device, Value("dX", wrong), Value("dX", right), Value("dX", right), 2));
        Assert.Contains("dX (2, 3)", found.Message, StringComparison.Ordinal);
        Assert.Contains("[1, 1]", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Error_of_the_naive_loops_is_granted_and_no_more()
    {
        using var device = ReferenceDevices.Create("reference:float32");
        Outcome exact = Value("y", [1, 1]), naive = Value("y", [1 + 1e-4, 1 - 1e-4]);
        Budget.Check(device, Value("y", [1 + 1.9e-4, 1 + 1.9e-4]), naive, exact, 2);
        Assert.Throws<FailException>(() => Budget.Check(device, Value("y", [1 + 2.1e-4, 1]), naive, exact, 2));
        Budget.Check(device, Value("y", [1 + 2.1e-4, 1]), naive, exact, 3);
    }

    [Fact]
    public void Change_of_a_bit_is_found()
    {
        var found = Assert.Throws<FailException>(() => Budget.CheckSameBits(Value("y", [0.0, 1]), Value("y", [-0.0, 1]), "run 2"));
        Assert.Contains("run 2", found.Message, StringComparison.Ordinal);
    }

    private static Outcome Value(string name, double[] values) => new(name, BufferKind.Compute, 2, values.Length / 2, values, 0, 0);

    private static void Fails(string message, Layout layout, Action<Workbench, Tensor> body)
    {
        using var device = ReferenceDevices.Create("reference:float32");
        using var bench = new Workbench(device, layout, 1, NumberFormat.Float32);
        body(bench, bench.Written("output", BufferKind.Compute, 3, 4));
        Assert.Contains(message, Assert.Throws<FailException>(bench.Finish).Message, StringComparison.Ordinal);
    }
}
