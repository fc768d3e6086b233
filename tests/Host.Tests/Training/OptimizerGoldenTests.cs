using System.Text.Json.Nodes;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

/// <summary>Three steps of every optimizer, on every parameter of a tiny decoder, against goldens/make_optimizers.py.</summary>
public sealed class OptimizerGoldenTests
{
    private static readonly JsonObject Expected =
        JsonNode.Parse(File.ReadAllText(Path.Combine(Goldens.Folder, "../Host.Tests/Training/goldens/optimizers.json")))!.AsObject();

    private static readonly ModelConfig Config = new()
    {
        ModelType = ModelType.Llama,
        HiddenSize = 8,
        IntermediateSize = 6,
        NumHiddenLayers = 1,
        NumAttentionHeads = 2,
        NumKeyValueHeads = 2,
        HeadDim = 4,
        VocabSize = 10,
        MaxPositionEmbeddings = 16,
        RmsNormEps = 1e-5,
        TieWordEmbeddings = false,
        Rope = new RopeParameters(100),
        SlidingWindows = [null],
    };

    public static TheoryData<string, string, double> Cases
    {
        get
        {
            var cases = new TheoryData<string, string, double>();
            foreach (var (name, _) in Expected)
            {
                cases.Add(name, "reference:float64", 1e-13);
                cases.Add(name, "cpu", 2e-6);
                cases.Add(name, "cuda", 2e-6); // what reads the weights is bfloat16, masters are float32
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Three_steps(string name, string deviceName, double tolerance)
    {
        using var device = Devices.Create(deviceName == "cuda" ? CudaName.Of("") : deviceName, new DeviceOptions { Threads = 2 });
        using var parameters = new ModelParameters(Config, device, ParameterUse.Training);
        using var optimizer = Optimizer.Create(parameters, Arguments(name));
        foreach (var parameter in parameters.Parameters) Fill(parameter.Master, i => Math.Sin(i + 1));
        for (int t = 1; t <= 3; t++)
        {
            foreach (var parameter in parameters.Parameters) Fill(parameter.Gradient, i => Math.Cos(0.3 * i + t));
            optimizer.GradientNorm(1);
            optimizer.Apply(0.05);
        }

        foreach (var parameter in parameters.Parameters)
        {
            var expected = Expected[name]![string.Join('x', parameter.Shape)]!.AsArray().Select(value => (double)value!).ToArray();
            var found = new double[parameter.Length];
            device.Download(parameter.Master, found);
            for (int i = 0; i < found.Length; i++)
                Assert.True(Math.Abs(found[i] - expected[i]) <= tolerance, $"{parameter.Name}[{i}]: {found[i]}, golden {expected[i]}");
        }

        void Fill(Tensor tensor, Func<int, double> value) =>
            device.Upload([.. Enumerable.Range(0, (int)tensor.Length).Select(value)], tensor);
    }

    private static FinetuneArguments Arguments(string name) => new()
    {
        MaxGradNorm = 0,
        WeightDecay = 0.1,
        Optim = name.Split(' ')[0] switch
        {
            "sgd" => OptimizerType.Sgd,
            "adam" => OptimizerType.Adam,
            "adamw" => OptimizerType.AdamW,
            _ => OptimizerType.Adafactor,
        },
        Momentum = name.Contains(' ', StringComparison.Ordinal) ? 0.9 : 0,
        Nesterov = name.Contains("nesterov", StringComparison.Ordinal),
    };
}
