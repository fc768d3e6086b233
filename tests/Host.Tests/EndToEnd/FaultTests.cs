using RepNoise.Host.Resuming;
using RepNoise.Host.Tests.Support;
using RepNoise.Reliability;

namespace RepNoise.Host.Tests.EndToEnd;

/// <summary>What can happen to a run from outside, done to real processes: nothing is lost beyond the steps since a checkpoint.</summary>
public sealed class FaultTests
{
    [Fact]
    public void Killed_ten_times_five_of_them_to_hit_a_save_a_run_ends_as_if_it_had_not_been()
    {
        using var world = new TinyWorld();
        string[] line =
        [
            "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--per-device-train-batch-size", "2", "--max-steps", "60", "--save-steps", "4",
            "--threads", "1",
        ];
        var report = new KillCampaign(line, world["kills"], seed: 3).Run(kills: 10, stepsPerLife: 9, _ => { });
        Assert.Null(report.Difference);
        Assert.Empty(report.Damaged);
        Assert.Equal(10, report.Kills);
        Assert.True(report.InsideSaves > 0, "no kill hit a save");
        Assert.All(report.StepsLost, lost => Assert.InRange(lost, 0, 4));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public void A_signal_ends_the_step_saves_and_loses_nothing(string signal)
    {
        using var world = new TinyWorld();
        string[] line = Defend(world, steps: 400);
        using (var child = Child.Start([.. line, "--output", world["out"]]))
        {
            Assert.True(child.Until(() => RunFiles.Steps(world["out"]) >= 2));
            child.Signal(signal);
            var result = child.Wait();
            Assert.Equal(130, result.Code);
            Assert.Contains("Stopping after this step", result.Error, StringComparison.Ordinal);
            Assert.Contains("--resume-from-checkpoint true goes on.", result.Error, StringComparison.Ordinal);
        }

        int done = RunFiles.Steps(world["out"]);
        Assert.InRange(done, 2, 399);
        Assert.Equal(done, CheckpointFolders.List(world["out"])[0].Step);
        Assert.True(File.Exists(world["out/model.safetensors"]));
        Assert.False(File.Exists(world["out/run.lock"]));
    }

    [Theory]
    [InlineData("tmpfs")]
    [InlineData("quota")]
    public void A_full_disk_leaves_the_checkpoints_before_and_the_run_goes_on_when_there_is_room(string means)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mounts and file size limits are Linux's");
        using var world = new TinyWorld();
        string[] line = [.. Defend(world, steps: 9), "--save-steps", "2", "--save-total-limit", "all"];
        Assert.Equal(0, TinyWorld.Run([.. line, "--output", world["whole"]]).Code);

        // Room for two checkpoints, not for a third nor for the model beside them.
        long room = 2 * Directory.EnumerateFiles(world["whole/checkpoint-2"]).Sum(file => (new FileInfo(file).Length + 4095) / 4096 * 4096) + (64 << 10);
        string output = world["small/out"];
        using var disk = means == "tmpfs" ? SmallDisk.Mount(world["small"], room) : null;
        Assert.SkipWhen(means == "tmpfs" && disk is null, "mounting needs root");

        // A quota of a file's size, above the model's and below the optimizer's, stands in for the disk where nothing can be mounted.
        long model = new FileInfo(world["whole/model.safetensors"]).Length;
        string? shell = means == "quota" ? $"trap '' XFSZ; export DOTNET_EnableWriteXorExecute=0; ulimit -f {model * 3 / 2 / 1024}" : null;
        using (var child = Child.StartAfter(shell, [.. line, "--output", output]))
        {
            var result = child.Wait();
            Assert.Contains("could not be saved", result.Error, StringComparison.Ordinal);
            Assert.Contains(means == "tmpfs" ? "No space left" : "the run goes on", result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("unexpected", result.Error, StringComparison.Ordinal);
            Assert.Equal(means == "tmpfs" ? 1 : 0, result.Code);
        }

        foreach (var (step, path) in CheckpointFolders.List(output)) Assert.Null(CheckpointManifest.Problem(path, step));
        Assert.Equal(means == "tmpfs" ? 2 : 0, CheckpointFolders.List(output).Count);
        disk?.Grow();
        Assert.Equal(0, TinyWorld.Run([.. line, "--output", output, "--resume-from-checkpoint", "true", .. means == "quota" ? (string[])["--overwrite-output-dir"] : []]).Code);
        Assert.Null(RunFiles.Difference(world["whole"], output));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_refused_before_the_run()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mounts are Linux's");
        using var world = new TinyWorld();
        using var disk = SmallDisk.Mount(world["small"], 1 << 20, readOnly: true);
        string output = disk is null ? "/proc/repnoise-out" : world["small/out"];
        var result = Child.Run([.. Defend(world, steps: 2), "--output", output]);
        Assert.Equal(1, result.Code);
        Assert.Contains($"repnoise: {output}: it cannot be written (", result.Error, StringComparison.Ordinal);
        Assert.Contains("choose another folder", result.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("model.safetensors", true)]
    [InlineData("optimizer.safetensors", false)]
    public void A_damaged_checkpoint_is_found_and_the_one_before_is_used(string file, bool cut)
    {
        using var world = new TinyWorld();
        string[] line = [.. Defend(world, steps: 7), "--save-steps", "2"];
        Assert.Equal(0, TinyWorld.Run([.. line, "--output", world["whole"]]).Code);
        RunFiles.Copy(world["whole"], world["cut"]);
        Damage(world["cut/checkpoint-6/" + file], cut);
        var result = Child.Run([.. line, "--output", world["cut"], "--resume-from-checkpoint", "true"]);
        Assert.True(result.Code == 0, result.Error);
        Assert.Contains($"{world["cut/checkpoint-6"]} is damaged and passed over: {file} ", result.Error, StringComparison.Ordinal);
        Assert.Contains($"Going on after step 4, from {world["cut/checkpoint-4"]}.", result.Error, StringComparison.Ordinal);
        Assert.Null(RunFiles.Difference(world["whole"], world["cut"]));

        var byName = TinyWorld.Run([.. line, "--output", world["other"], "--resume-from-checkpoint", Damaged(world, file, cut)]);
        Assert.Equal(1, byName.Code);
        Assert.Contains("the checkpoint is damaged: " + file, byName.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world["other"]), "a run that did not begin leaves nothing");
    }

    [Fact]
    public void Every_bit_of_a_checkpoint_is_watched_over()
    {
        using var world = new TinyWorld();
        Assert.Equal(0, TinyWorld.Run([.. Defend(world, steps: 2), "--save-steps", "1", "--output", world["out"]]).Code);
        string checkpoint = world["out/checkpoint-1"];
        var random = new Random(8);
        foreach (string path in Directory.EnumerateFiles(checkpoint))
        {
            byte[] good = File.ReadAllBytes(path);
            for (int i = 0; i < 20; i++)
            {
                RunFiles.Flip(path, random.NextInt64(good.Length), random.Next(8));
                Assert.NotNull(CheckpointManifest.Problem(checkpoint, 1));
                File.WriteAllBytes(path, good[..random.Next(good.Length)]);
                Assert.NotNull(CheckpointManifest.Problem(checkpoint, 1));
                File.WriteAllBytes(path, good);
            }

            File.Delete(path);
            Assert.NotNull(CheckpointManifest.Problem(checkpoint, 1));
            File.WriteAllBytes(path, good);
            Assert.Null(CheckpointManifest.Problem(checkpoint, 1));
        }

        Assert.Equal("manifest.json is of step 1", CheckpointManifest.Problem(checkpoint, 2));
    }

    [Fact]
    public void A_second_run_on_a_folder_is_refused_and_told_the_first_ones_process()
    {
        using var world = new TinyWorld();
        string[] line = [.. Defend(world, steps: 100_000), "--output", world["out"]];
        using var first = Child.Start(line);
        Assert.True(first.Until(() => RunFiles.Steps(world["out"]) >= 1));
        foreach (string option in (string[])["--overwrite-output-dir", "--resume-from-checkpoint=true"])
        {
            var second = Child.Run([.. line, option]);
            Assert.Equal(1, second.Code);
            Assert.Contains($"{world["out"]}: another run writes there (process {first.Id} on {Environment.MachineName}, since ", second.Error, StringComparison.Ordinal);
        }

        int steps = RunFiles.Steps(world["out"]);
        Assert.True(first.Until(() => RunFiles.Steps(world["out"]) > steps), "the first run does not notice");
        first.Kill();
        first.Wait();
        Assert.Equal(0, Child.Run([.. Defend(world, steps: 1), "--output", world["out"], "--overwrite-output-dir"]).Code);
    }

    [Fact]
    public void Model_and_data_files_that_change_under_a_run_change_nothing()
    {
        using var world = new TinyWorld();
        foreach (string name in (string[])["pairs.jsonl", "retain.jsonl"]) File.Copy(world.Data(name), world[name]);
        string[] line =
        [
            "defend", world.Model, "--pairs", world["pairs.jsonl"], "--retain", world["retain.jsonl"], "--max-steps", "60", "--save-steps", "25",
            "--per-device-train-batch-size", "2", "--threads", "1",
        ];
        Assert.Equal(0, TinyWorld.Run([.. line, "--output", world["whole"]]).Code);
        using var child = Child.Start([.. line, "--output", world["out"]]);
        Assert.True(child.Until(() => RunFiles.Steps(world["out"]) >= 1));
        foreach (string path in Directory.EnumerateFiles(world.Model).Append(world["pairs.jsonl"]).Append(world["retain.jsonl"]).ToArray())
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            stream.SetLength(path.EndsWith("config.json", StringComparison.Ordinal) ? 0 : stream.Length / 2);
            stream.Write("changed!"u8);
        }

        Assert.True(RunFiles.Steps(world["out"]) < 50, "the run was over before its files changed");
        var result = child.Wait();
        Assert.True(result.Code == 0, result.Error);
        Assert.Null(RunFiles.Difference(world["whole"], world["out"]));
    }

    private static string[] Defend(TinyWorld world, int steps) =>
    [
        "defend", world.Model, "--pairs", world.Data("pairs.jsonl"), "--per-device-train-batch-size", "2", "--threads", "1",
        "--max-steps", $"{steps}",
    ];

    private static string Damaged(TinyWorld world, string file, bool cut)
    {
        RunFiles.Copy(world["whole/checkpoint-6"], world["alone/checkpoint-6"]);
        Damage(world["alone/checkpoint-6/" + file], cut);
        return world["alone/checkpoint-6"];
    }

    private static void Damage(string path, bool cut)
    {
        long length = new FileInfo(path).Length;
        if (cut)
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write);
            stream.SetLength(length - 1);
        }
        else
        {
            RunFiles.Flip(path, length / 2, 3);
        }
    }
}
