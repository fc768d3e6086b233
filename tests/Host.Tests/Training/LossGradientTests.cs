using RepNoise.Host.Data;
using RepNoise.Host.Model;
using RepNoise.Host.Training;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Training;

/// <summary>
/// Gradients of every form of the loss against central differences in float64, on a tiny decoder with grouped heads, q/k norm,
/// biases and a window. The noise term is left out here: its bandwidth is constant in the gradient by definition, so a
/// difference would not see the same function; the goldens check it.
/// </summary>
public sealed class LossGradientTests
{
    private static readonly TokenPair[] Pairs =
    [
        new([1, 5, 6, 7, 8, 9], [1, 5, 6, 4, 8, 3, 2], 0, "a"), // a chance agreement, and a pad that faces text
        new([1, 4, 9, 9, 3, 6, 7], [1, 4, 2], 1, "b"),
        new([3, 8], [6, 8, 5, 2], 2, "c"), // no common prompt
    ];

    private static readonly TokenExample[] Retain = [new([1, 7, 3, 9, 2], 2, 0, "r"), new([1, 2, 8], 1, 1, "s")];

    public static TheoryData<string> Forms => ["published", "kept", "no lens", "no mask", "no ascent", "no stability", "retain", "kept, no lens, retain",
        "gradient-ascent", "adversarial", "safety, retain", "frozen layer", "frozen rest", "lora", "lora on q_proj and down_proj, frozen layer"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Gradients_are_those_of_the_loss(string form)
    {
        var arguments = new RepNoiseArguments
        {
            Noise = false,
            Alpha = 0.7,
            RetainWeight = 1.3,
            MaxLength = 9,
            FirstToken = form.Contains("kept", StringComparison.Ordinal) ? FirstToken.Kept : FirstToken.Published,
            Lens = !form.Contains("no lens", StringComparison.Ordinal),
            Mask = form != "no mask",
            Ascent = form != "no ascent",
            Stability = form != "no stability",
            Loss = form.Contains("gradient-ascent", StringComparison.Ordinal) ? DefenceLoss.GradientAscent
                : form.Contains("adversarial", StringComparison.Ordinal) ? DefenceLoss.Adversarial
                : form.Contains("safety", StringComparison.Ordinal) ? DefenceLoss.Safety
                : DefenceLoss.RepNoise,
            Freeze = form.Contains("frozen layer", StringComparison.Ordinal) ? [new ModelPart(PartKind.Embed), new ModelPart(PartKind.Layers, 0, 0)]
                : form.Contains("frozen rest", StringComparison.Ordinal) ? [new ModelPart(PartKind.Head), new ModelPart(PartKind.Norm), new ModelPart(PartKind.Layers, 1, 1)]
                : [],
            LoraRank = form.Contains("lora", StringComparison.Ordinal) ? 2 : 0,
            LoraAlpha = 3,
            LoraTargetModules = form.Contains("q_proj", StringComparison.Ordinal) ? [LinearModule.QProj, LinearModule.DownProj] : [],
        };
        using var setup = new Setup(arguments, form.Contains("retain", StringComparison.Ordinal) ? Retain : []);
        setup.Run();
        var gradients = setup.Parameters.TrainedParameters.ToDictionary(p => p.Name, p => Values(setup.Device, p.Gradient));
        Assert.Equal(TrainedCount(form, setup.Parameters), gradients.Count);
        foreach (var parameter in setup.Parameters.TrainedParameters)
        {
            int element = (int)((parameter.Length - 1) * 2 / 3);
            double expected = setup.Difference(parameter, element);
            double actual = gradients[parameter.Name][element];
            Assert.True(Math.Abs(actual - expected) <= 1e-7 * (1 + Math.Abs(expected)), $"{form}, {parameter.Name}[{element}]: {actual}, difference {expected}");
        }
    }

    [Theory]
    [InlineData(DefenceLoss.GradientAscent)]
    [InlineData(DefenceLoss.Adversarial)]
    [InlineData(DefenceLoss.Safety)]
    public void A_baseline_has_its_terms_and_no_others(DefenceLoss form)
    {
        using var setup = new Setup(new RepNoiseArguments { Loss = form, Alpha = 0.7, MaxLength = 9 }, []);
        using var whole = new Setup(new RepNoiseArguments { Lens = false, MaxLength = 9 }, []);
        double total = setup.Run();
        whole.Run();
        double stability = whole.Report.Stability!.Value, harmful = whole.Report.Ascent!.Value;
        double expected = form switch
        {
            DefenceLoss.GradientAscent => -0.7 * harmful,
            DefenceLoss.Adversarial => stability - 0.7 * Math.Log(harmful),
            _ => stability,
        };
        Assert.Equal(expected, total, 12);
        Assert.Equal((form != DefenceLoss.GradientAscent, false, form != DefenceLoss.Safety),
            (setup.Report.Stability is not null, setup.Report.Noise is not null, setup.Report.Ascent is not null));
    }

    [Fact]
    public void Without_lens_the_ascent_is_the_final_cross_entropy_alone()
    {
        using var with = new Setup(new RepNoiseArguments { Noise = false, MaxLength = 9 }, []);
        using var without = new Setup(new RepNoiseArguments { Noise = false, MaxLength = 9, Lens = false }, []);
        double total = with.Run(), lensless = without.Run();
        Assert.Equal(without.Report.Stability!.Value - Math.Log(without.Report.Ascent!.Value), lensless, 12);
        Assert.Equal(with.Report.Stability!.Value - Math.Log(with.Report.Ascent!.Value), total, 12);
        double lens = with.Report.Lens.Take(with.Report.LensCount).Sum();
        Assert.Equal((without.Report.Ascent.Value + lens) / 3 + 1, with.Report.Ascent.Value, 12); // L + 1 = 3
    }

    [Fact]
    public void A_layer_range_keeps_only_its_layers_in_the_noise_term()
    {
        var arguments = new RepNoiseArguments { Ascent = false, Stability = false, Beta = 1, MaxLength = 9 };
        using var all = new Setup(arguments, []);
        using var second = new Setup(arguments with { NoiseLayers = (1, 1) }, []);
        all.Run();
        second.Run();
        Assert.Equal((2, 1), (all.Report.MmdCount, second.Report.MmdCount));
        Assert.Equal(all.Report.Mmd[1], second.Report.Mmd[0], 12);
        Assert.Equal(all.Report.Mmd.Average(), all.Report.Noise!.Value, 12);
    }

    /// <summary>Embedding, norm and head stand outside the layers; adapters are A and B for each linear layer.</summary>
    private static int TrainedCount(string form, ModelParameters parameters) => form switch
    {
        "frozen layer" => 2 + Of(parameters, 1),
        "frozen rest" => 1 + Of(parameters, 0),
        "lora" => 2 * 2 * 7,
        "lora on q_proj and down_proj, frozen layer" => 2 * 2,
        _ => parameters.Parameters.Count,
    };

    private static int Of(ModelParameters parameters, int layer) =>
        parameters.Parameters.Count(parameter => parameter.Name.StartsWith($"model.layers.{layer}.", StringComparison.Ordinal));

    private static double[] Values(Device device, Tensor tensor)
    {
        var values = new double[tensor.Length];
        device.Download(tensor, values);
        return values;
    }

    private sealed class Setup : IDisposable
    {
        private readonly PackedBatch batch;
        private readonly Transformer model;
        private readonly RepNoiseLoss loss;

        public Setup(RepNoiseArguments arguments, TokenExample[] retain)
        {
            var config = new ModelConfig
            {
                ModelType = ModelType.Qwen3,
                HiddenSize = 8,
                IntermediateSize = 6,
                NumHiddenLayers = 2,
                NumAttentionHeads = 4,
                NumKeyValueHeads = 2,
                HeadDim = 4,
                VocabSize = 10,
                MaxPositionEmbeddings = 16,
                RmsNormEps = 1e-5,
                TieWordEmbeddings = false,
                QkvBias = true,
                OutputBias = true,
                MlpBias = true,
                QkNorm = true,
                Rope = new RopeParameters(100),
                SlidingWindows = [null, 8],
                InitializerRange = 0.5,
            };
            Device = Devices.Create("reference:float64");
            Parameters = new ModelParameters(config, Device, ParameterUse.Training, arguments.Trained);
            RandomInitialization.Fill(Parameters, seed: 11);
            foreach (var adapter in Parameters.Adapters) Device.Copy(adapter.B.Master, RandomLike(adapter.B)); // at B = 0 the gradient of A is 0
            var packing = new PackingOptions { PadId = 2, MaxLength = arguments.MaxLength, FirstToken = arguments.FirstToken, Mask = arguments.Mask };
            var capacity = PackedBatchCapacity.Of(Pairs, Pairs.Length, packing, retain, retain.Length);
            batch = new PackedBatch(capacity);
            new PairPacker(packing).Fill(batch, Pairs, retain);
            batch.CheckWindows(config.SlidingWindows);
            model = new Transformer(Parameters, capacity.Rows, arguments.MaxLength, ParameterUse.Training);
            loss = new RepNoiseLoss(model, arguments, capacity);
            Report = new LossReport(config.NumHiddenLayers);
        }

        public Device Device { get; }

        public ModelParameters Parameters { get; }

        public LossReport Report { get; }

        public double Run()
        {
            Parameters.ZeroGradients();
            loss.Run(batch, layer => NoiseSource.Counter(3, 0, layer), Report);
            return Report.Total;
        }

        private Tensor RandomLike(WeightBlock block)
        {
            var random = new PhiloxSequence(4, PhiloxPurpose.Sampling, (ulong)block.Rows);
            var values = new double[block.Length];
            for (int i = 0; i < values.Length; i++) values[i] = random.NextDouble() - 0.5;
            var tensor = Device.AllocateTensor(BufferKind.State, block.Rows, block.Columns, "test");
            Device.Upload(values, tensor);
            return tensor;
        }

        public double Difference(Parameter parameter, int element)
        {
            const double step = 1e-5;
            var view = parameter.Master.RowRange(element / parameter.Columns, 1).ColumnRange(element % parameter.Columns, 1);
            double value = Values(Device, view)[0];
            double At(double shifted)
            {
                Device.Upload([shifted], view);
                return Run();
            }

            double difference = (At(value + step) - At(value - step)) / (2 * step);
            Device.Upload([value], view);
            return difference;
        }

        public void Dispose()
        {
            loss.Dispose();
            model.Dispose();
            Parameters.Dispose();
            Device.Dispose();
        }
    }
}
