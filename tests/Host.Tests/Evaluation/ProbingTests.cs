using System.Text.Json;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Diagnostics;
using RepNoise.Host.Evaluation.Probing;
using RepNoise.Host.Evaluation.Scoring;
using RepNoise.Host.Model;
using RepNoise.Host.Tests.Support;
using RepNoise.Kernels;

namespace RepNoise.Host.Tests.Evaluation;

/// <summary>The parts of the probe on planted data and against other programs (goldens.json: numpy).</summary>
public sealed class ProbingTests
{
    private static readonly JsonElement Values = JsonDocument.Parse(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Evaluation", "goldens.json"))).RootElement;

    [Fact]
    public void Separable_labels_are_told_and_shuffled_ones_are_not()
    {
        var random = new Random(5);
        float[][] rows = [.. Enumerable.Range(0, 200).Select(i => Enumerable.Range(0, 10).Select(j => (float)random.NextDouble() + (j == 3 && i % 2 == 0 ? 2 : 0)).ToArray())];
        int[] labels = [.. Enumerable.Range(0, 200).Select(i => i % 2)];
        Assert.Equal(1, Accuracy(rows, labels));
        double chance = Enumerable.Range(0, 10).Average(seed => Accuracy(rows, [.. labels.OrderBy(_ => random.Next())]));
        Assert.InRange(chance, 0.4, 0.6);
    }

    [Fact]
    public void Several_classes_are_told()
    {
        var random = new Random(6);
        float[][] rows = [.. Enumerable.Range(0, 120).Select(i => new[] { i % 3 == 0 ? 3 : 0, i % 3 == 1 ? 3 : 0, (float)random.NextDouble() })];
        int[] labels = [.. Enumerable.Range(0, 120).Select(i => i % 3)];
        Assert.Equal(1, LogisticRegression.Fit(rows, labels, 3).Accuracy(rows, labels));
    }

    [Fact]
    public void Probabilities_are_those_of_newtons_method()
    {
        var golden = Values.GetProperty("logistic");
        float[][] rows = Matrix(golden.GetProperty("rows"));
        var model = LogisticRegression.Fit(rows, golden.GetProperty("labels").Deserialize<int[]>()!, 2);
        var expected = golden.GetProperty("probabilities").Deserialize<double[]>()!;
        for (int i = 0; i < rows.Length; i++) Assert.Equal(expected[i], model.Probabilities(rows[i])[1], 1e-4);
    }

    [Fact]
    public void Components_are_those_of_numpys_singular_values()
    {
        var golden = Values.GetProperty("pca");
        var components = PrincipalComponents.Of(Matrix(golden.GetProperty("rows")));
        for (int k = 0; k < 2; k++)
        {
            Assert.Equal(golden.GetProperty("explained")[k].GetDouble(), components.Explained[k], 1e-10);
            for (int i = 0; i < components.Points.Count; i++)
                Assert.Equal(golden.GetProperty("points")[i][k].GetDouble(), components.Points[i][k], 1e-6);
        }
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(4, 1)]
    public void Few_vectors_or_channels_leave_directions_without_variance(int rows, int columns)
    {
        var components = PrincipalComponents.Of([.. Enumerable.Range(0, rows).Select(i => Enumerable.Range(0, columns).Select(j => (float)(i + j)).ToArray())]);
        Assert.Equal(rows == 1 ? 0 : 1, components.Explained[0], 1e-12);
        Assert.Equal(0, components.Explained[1], 1e-12);
        Assert.All(components.Points, point => Assert.True(double.IsFinite(point[0]) && point[1] == 0));
    }

    [Theory]
    [InlineData("reference:float64")]
    [InlineData("cpu")]
    public void A_pass_gives_what_plain_passes_show(string name)
    {
        using var folder = ModelFolder.Open(Path.Combine(Goldens.Folder, "qwen2"));
        using var device = Devices.Create(name);
        using var parameters = new ModelParameters(folder.Config, device, ParameterUse.Training);
        parameters.Load(folder.Read);
        ProbedSequence[] sequences = [new([1, 17, 99, 4, 7], 2, [3, 4]), new([5, 6, 7], 3, []), new([9, 8, 7, 6, 5, 4], 1, [0, 5])];
        using var pass = new ActivationPass(parameters, 6);
        pass.Run(sequences, stop: TestContext.Current.CancellationToken);
        using var scorer = new SequenceScorer(parameters, 6);
        double own = scorer.Score(sequences.Where(s => s.FirstTarget < s.Ids.Length).Select(s => new TokenSequence(s.Ids, s.FirstTarget)), TestContext.Current.CancellationToken)
            .Sum(values => values.Sum(value => (double)value));
        Assert.Equal((8, 4), (pass.Targets, pass.MaskedRows));
        Assert.Equal(own, pass.LensSums[^1], 1e-5); // at the last depth the lens is the model
        int layers = folder.Config.NumHiddenLayers;
        var squares = new double[layers];
        for (int s = 0; s < sequences.Length; s++)
        {
            var hidden = Hidden(parameters, sequences[s], squares);
            for (int depth = 0; depth <= layers; depth++)
            {
                for (int c = 0; c < folder.Config.HiddenSize; c++) Assert.Equal(hidden[depth][c], pass.Means[depth][s][c], 1e-4);
            }
        }

        for (int l = 0; l < layers; l++) Assert.Equal(squares[l], pass.MlpSquares[l], 1e-3 * squares[l]);
    }

    [Fact]
    public void Distances_are_those_of_all_weights_of_a_part()
    {
        using var world = new TinyWorld();
        using var source = new Host.Training.ScratchSource(world.ConfigPath, world.Model, seed: 6);
        using (var device = Devices.Create("cpu", new DeviceOptions { Threads = 1 }))
        using (var parameters = new ModelParameters(source.Config, device, ParameterUse.Inference))
        {
            source.Load(parameters);
            source.SaveInto(world["other"], parameters, new SaveOptions());
        }

        using var a = ModelFolder.Open(world.Model);
        using var b = ModelFolder.Open(world["other"]);
        var distance = WeightDistance.Of(a, b, TestContext.Current.CancellationToken);
        double expected = 0;
        foreach (var parameter in a.Parameters.Where(p => p.Name.StartsWith("model.layers.1.", StringComparison.Ordinal)))
        {
            var (x, y) = (new float[parameter.Count], new float[parameter.Count]);
            a.Read(parameter.Name, x);
            b.Read(parameter.Name, y);
            expected += x.Zip(y, (p, q) => Math.Pow((double)p - q, 2)).Sum();
        }

        Assert.Equal(Math.Sqrt(expected), distance.Layers[1].L2, 1e-5);
        Assert.True(distance.Layers[1].Relative > 0.1);
        Assert.Equal(0, WeightDistance.Of(a, a, TestContext.Current.CancellationToken).Layers[0].L2);
        using var foreign = ModelFolder.Open(Path.Combine(Goldens.Folder, "qwen2"));
        Assert.Contains("same architecture", Assert.Throws<InputException>(() => WeightDistance.Of(a, foreign, default)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Both_texts_of_a_pair_are_on_one_side_and_the_seed_decides_which()
    {
        ProbeText[] texts = [.. Enumerable.Range(0, 20).Select(i => new ProbeText("t", "", i % 2 == 0 ? "a" : "b", i / 2, null, false, "f:1"))];
        var (train, test) = Probe.Split(texts, 1);
        Assert.Equal((16, 4), (train.Length, test.Length));
        Assert.Equal(Enumerable.Range(0, 20), train.Concat(test).Order());
        Assert.All(test, i => Assert.Contains(i ^ 1, test));
        Assert.Equal(test, Probe.Split(texts, 1).Test);
        Assert.Contains(Enumerable.Range(2, 9), seed => !Probe.Split(texts, (ulong)seed).Test.SequenceEqual(test));
    }

    private static double Accuracy(float[][] rows, int[] labels) =>
        LogisticRegression.Fit(rows[..160], labels[..160], 2).Accuracy(rows[160..], labels[160..]);

    private static float[][] Matrix(JsonElement rows) => rows.Deserialize<float[][]>()!;

    /// <summary>Mean of every hidden state of one text; adds the mean squares of its MLP outputs on masked rows.</summary>
    private static float[][] Hidden(ModelParameters parameters, ProbedSequence sequence, double[] squares)
    {
        var device = parameters.Device;
        int n = sequence.Ids.Length, c = parameters.Config.HiddenSize;
        using var model = new Transformer(parameters, n, n, ParameterUse.Training);
        using var plan = new AttentionPlan(device, 1, n);
        plan.Load([new AttentionSegment { QueryRow = 0, QueryCount = n, KeyRow = 0, KeyCount = n }], [.. Enumerable.Range(0, n)]);
        var ids = device.AllocateIndices(n, MemoryCategory.Batch);
        device.Upload(sequence.Ids, ids);
        model.Forward(ids, plan, new MlpSquares(device, sequence.MaskedRows, squares));
        return [.. Enumerable.Range(0, parameters.Config.NumHiddenLayers + 1).Select(depth =>
        {
            var host = new float[n * c];
            device.Download(model.Hidden(depth), host);
            return Enumerable.Range(0, c).Select(j => Enumerable.Range(0, n).Average(i => host[i * c + j])).ToArray();
        })];
    }

    private sealed class MlpSquares(Device device, int[] rows, double[] squares) : IPassObserver
    {
        public void OnMlpOutput(int layer, Tensor mlp)
        {
            var host = new float[mlp.Length];
            device.Download(mlp, host);
            foreach (int row in rows) squares[layer] += Enumerable.Range(0, mlp.Columns).Average(j => Math.Pow(host[row * mlp.Columns + j], 2));
        }
    }
}
